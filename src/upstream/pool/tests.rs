//! The pool's books, over loopback.

use std::{net::SocketAddr, time::Duration};

use super::*;
use crate::{
    net::Listener,
    runtime::{ExecutorSpec, start},
};

const WAIT: Duration = Duration::from_secs(20);

/// Runs `main` with an address that accepts and keeps every connection.
fn with_upstream<Work: Future<Output = ()> + 'static>(
    main: impl FnOnce(Runtime, Address) -> Work + Send + 'static,
) {
    let spec = ExecutorSpec { name: "test".to_owned(), cpu: None };
    let run = move |runtime: Runtime| async move {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(&runtime, anywhere, false).expect("binds");
        let address = listener.local_addr().clone();
        runtime.spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
            }
        });
        main(runtime, address).await;
    };
    start(spec, run).expect("io_uring works here").join().expect("no panic");
}

fn pool(runtime: &Runtime, addresses: Vec<Address>) -> Rc<Pool> {
    Pool::new(runtime.clone(), addresses, Http2::NotOffered, None, Rc::default())
}

async fn check_out(pool: &Rc<Pool>, runtime: &Runtime) -> Checkout {
    pool.check_out(runtime.now() + WAIT).await.unwrap_or_else(|_| panic!("connects"))
}

#[test]
fn what_is_lent_and_what_is_idle_is_counted() {
    with_upstream(|runtime, address| async move {
        let pool = pool(&runtime, vec![address]);
        let mut one = check_out(&pool, &runtime).await;
        let two = check_out(&pool, &runtime).await;
        assert_eq!(pool.census(), (2, 0));
        one.connection.put_back();
        assert_eq!(pool.census(), (1, 1));
        drop(two);
        assert_eq!(pool.census(), (0, 1));
        let mut again = check_out(&pool, &runtime).await;
        assert!(again.reused);
        assert_eq!(pool.census(), (1, 0));
        again.connection.put_back();
        pool.sweep(runtime.now() + limits::UPSTREAM_IDLE_WAIT);
        assert_eq!(pool.census(), (0, 0));
    });
}

#[test]
fn a_connection_that_cannot_be_made_leaves_no_trace() {
    with_upstream(|runtime, _| async move {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let dead = nobody.local_addr().expect("bound");
        drop(nobody);
        let pool = pool(&runtime, vec![dead.into()]);
        assert!(pool.check_out(runtime.now() + WAIT).await.is_err());
        assert_eq!(pool.census(), (0, 0));
    });
}

/// Of two who connected at the same time one was given the dead address twice, and got 503.
#[test]
fn a_dead_address_fails_nobody_who_connects_beside_others() {
    with_upstream(|runtime, address| async move {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let dead = nobody.local_addr().expect("bound");
        drop(nobody);
        let pool = pool(&runtime, vec![dead.into(), address]);
        let left = Rc::new(Cell::new(8));
        for _ in 0..left.get() {
            let (pool, runtime_, left) = (Rc::clone(&pool), runtime.clone(), Rc::clone(&left));
            runtime.spawn(async move {
                let _lent = check_out(&pool, &runtime_).await;
                left.set(left.get() - 1);
            });
        }
        let deadline = runtime.now() + WAIT;
        while left.get() > 0 && runtime.now() < deadline && runtime.panics() == 0 {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(left.get(), 0);
    });
}

/// Traffic kept the old server's connections alive for ever.
#[test]
fn connections_to_addresses_that_are_gone_are_not_used_again() {
    with_upstream(|runtime, address| async move {
        let pool = pool(&runtime, vec![address.clone()]);
        let (mut idle, mut lent) =
            (check_out(&pool, &runtime).await, check_out(&pool, &runtime).await);
        idle.connection.put_back();
        pool.set_addresses(vec![address]);
        assert_eq!(pool.census(), (1, 1), "nothing changed");
        pool.set_addresses(vec![SocketAddr::from(([127, 0, 0, 9], 9)).into()]);
        assert_eq!(pool.census(), (1, 0));
        lent.connection.put_back();
        assert_eq!(pool.census(), (0, 0));
    });
}
