//! An answer as a client reads it, checked against the script of its request byte for byte.

use super::{
    message::{Broken, Framing, Head, Reader, Trailers},
    script::{Frame, Script, body_of},
    upstream::ANSWERS,
    world::{Outcome, has_body},
};

/// An answer that was read.
pub(super) struct Got {
    pub(super) outcome: Outcome,
    /// The gateway closes the connection behind it, or has.
    pub(super) closes: bool,
}

/// What an answer comes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// A connection of HTTP/1.
    Http1,
    /// A stream of HTTP/2, whose end is marked; its head is told as lines of HTTP/1.1.
    Http2,
}

/// Reads the answer to a request.
///
/// # Errors
/// What is wrong with it; being cut short is not.
pub(super) async fn read(
    script: &Script,
    over: Over,
    reader: &mut Reader,
    on_continue: impl Fn(),
) -> Result<Got, String> {
    let (head, status) = loop {
        let head = match reader.head().await {
            Ok(head) => head,
            Err(Broken::Malformed(what)) => return Err(what),
            Err(_) if reader.rest().is_empty() => return Ok(ended(Outcome::Closed)),
            Err(_) => return Ok(ended(Outcome::Cut)),
        };
        let status = status_of(&head)?;
        if status != 100 {
            break (head, status);
        }
        if !script.expects_continue {
            return Err("100 unasked".to_owned());
        }
        on_continue();
    };
    let closes = match over {
        Over::Http1 => closes(&head, script)?,
        Over::Http2 if head.only("connection")?.is_some() => {
            return Err(format!("connection in {head:?}"));
        }
        Over::Http2 => true,
    };
    let Some(id) = head.only("x-answer")? else {
        let outcome = check_refusal(script, reader, &head, status).await?;
        return Ok(Got { closes: closes || outcome == Outcome::Cut, outcome });
    };
    if id != script.id.to_string() || status != script.answer.status {
        return Err(format!("the answer {head:?} of another request"));
    }
    if head.only("apigw-requestid")?.is_none() {
        return Err(format!("no id in {head:?}"));
    }
    let outcome = read_body(script, over, reader, &head).await?;
    Ok(Got { closes: closes || outcome == Outcome::Cut, outcome })
}

/// Reads a refusal in the gateway's own words.
pub(super) async fn read_refusal(reader: &mut Reader) -> Result<u16, Broken> {
    loop {
        let head = reader.head().await?;
        let status = status_of(&head).map_err(Broken::Malformed)?;
        if status == 100 {
            continue;
        }
        let framing = head.framing(Framing::UntilClose).map_err(Broken::Malformed)?;
        let (body, end) = reader.body(framing).await;
        end?;
        if !is_message(&body) {
            let text = String::from_utf8_lossy(&body);
            return Err(Broken::Malformed(format!("{head:?} with {text:?}")));
        }
        return Ok(status);
    }
}

fn ended(outcome: Outcome) -> Got {
    Got { outcome, closes: false }
}

fn status_of(head: &Head) -> Result<u16, String> {
    let rest = head.start.strip_prefix("HTTP/1.1 ");
    let status = rest.and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
    status.ok_or_else(|| format!("no status in {head:?}"))
}

fn closes(head: &Head, script: &Script) -> Result<bool, String> {
    match head.only("connection")? {
        Some("close") => Ok(true),
        Some("keep-alive") if script.is_http10() => Ok(false),
        None if !script.is_http10() => Ok(false),
        other => Err(format!("connection {other:?} in {head:?}")),
    }
}

async fn check_refusal(
    script: &Script,
    reader: &mut Reader,
    head: &Head,
    status: u16,
) -> Result<Outcome, String> {
    if script.method == "HEAD" {
        return Ok(Outcome::Refused(status));
    }
    let framing = head.framing(Framing::UntilClose)?;
    match reader.body(framing).await {
        (_, Err(Broken::Malformed(what))) => Err(what),
        (_, Err(_)) => Ok(Outcome::Cut),
        (body, Ok(_)) if is_message(&body) => Ok(Outcome::Refused(status)),
        (body, Ok(_)) => Err(format!("{head:?} with {:?}", String::from_utf8_lossy(&body))),
    }
}

fn is_message(body: &[u8]) -> bool {
    body.starts_with(b"{\"message\":\"") && body.ends_with(b"\"}")
}

async fn read_body(
    script: &Script,
    over: Over,
    reader: &mut Reader,
    head: &Head,
) -> Result<Outcome, String> {
    if !has_body(script) {
        return Ok(Outcome::Answered { whole: true });
    }
    let framing = head.framing(Framing::UntilClose)?;
    let length = script.answer_length();
    let meant = match script.answer.frame {
        Frame::Length(length) => Framing::Length(length),
        Frame::Chunked(_) | Frame::UntilClose(_) if over == Over::Http2 || script.is_http10() => {
            Framing::UntilClose
        }
        Frame::Chunked(_) | Frame::UntilClose(_) | Frame::Bodiless => Framing::Chunked,
    };
    if framing != meant {
        return Err(format!("{framing:?} instead of {meant:?} in {head:?}"));
    }
    let (body, end) = reader.body(framing).await;
    if !body_of(script.id | ANSWERS, length).starts_with(&body) {
        return Err(format!("{} bytes of another answer's body", body.len()));
    }
    match end {
        Err(Broken::Malformed(what)) => Err(what),
        Err(_) => Ok(Outcome::Cut),
        Ok(trailers) => {
            let whole = body.len() == length;
            if !whole && framing != Framing::UntilClose {
                return Err(format!("{} of {length} bytes, told to be whole", body.len()));
            }
            let (trailers, framing) = match over {
                Over::Http1 => (trailers, framing),
                Over::Http2 => (trailers_of(reader), Framing::Chunked),
            };
            check_trailers(script, framing, &trailers)?;
            Ok(Outcome::Answered { whole })
        }
    }
}

/// What followed a stream's body.
fn trailers_of(reader: &Reader) -> Trailers {
    let lines = reader.stream().take_trailers().unwrap_or_default();
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let fields = lines.lines().filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn check_trailers(script: &Script, framing: Framing, trailers: &Trailers) -> Result<(), String> {
    let told = matches!(script.answer.frame, Frame::Chunked(_)) && framing == Framing::Chunked;
    let meant = told.then(|| ("x-sum".to_owned(), script.id.to_string()));
    if *trailers == Vec::from_iter(meant) {
        return Ok(());
    }
    Err(format!("trailers {trailers:?}"))
}
