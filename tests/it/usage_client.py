"""AWS's own client (botocore) against the private port: URL and today's date as arguments."""

import sys

import botocore.config
import botocore.exceptions
import botocore.session

url, today = sys.argv[1:]
session = botocore.session.Session()
session.set_credentials("an-id", "a-secret")
client = session.create_client(
    "apigateway",
    region_name="us-east-1",
    endpoint_url=url,
    config=botocore.config.Config(retries={"max_attempts": 0}, proxies={}),
)


def replace(path, value):
    return [{"op": "replace", "path": path, "value": value}]


def failure(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError("it did not fail")


keys = client.get_api_keys()["items"]
assert [(key["id"], key["name"], key["enabled"]) for key in keys] == [
    ("alice-1", "alice", True),
    ("bob", "bob", True),
], keys
assert all("value" not in key for key in keys), keys
assert len(client.get_api_keys(nameQuery="ali", includeValues=True)["items"]) == 1
pages = client.get_paginator("get_api_keys").paginate(PaginationConfig={"PageSize": 1})
assert [key["id"] for page in pages for key in page["items"]] == ["alice-1", "bob"]
[plan] = client.get_usage_plans()["items"]
assert (plan["id"], plan["name"]) == ("gold", "Gold plan"), plan
assert plan["quota"] == {"limit": 100, "offset": 0, "period": "DAY"}, plan
assert client.get_usage_plan(usagePlanId="gold")["apiStages"][0]["stage"] == "$default"
assert [key["id"] for key in client.get_usage_plan_keys(usagePlanId="gold")["items"]] == [
    "alice-1",
    "bob",
]
assert client.get_usage_plan_key(usagePlanId="gold", keyId="bob")["type"] == "API_KEY"

days = {"startDate": today, "endDate": today}
told = client.get_usage(usagePlanId="gold", **days)
assert told["items"] == {"alice-1": [[10, 90]], "bob": [[0, 100]]}, told
told = client.get_usage(usagePlanId="gold", keyId="bob", **days)
assert list(told["items"]) == ["bob"], told
pages = client.get_paginator("get_usage").paginate(
    usagePlanId="gold", PaginationConfig={"PageSize": 1}, **days
)
assert [key for page in pages for key in page["items"]] == ["alice-1", "bob"]

told = client.update_usage(
    usagePlanId="gold", keyId="alice-1", patchOperations=replace("/remaining", "7")
)
assert told["items"] == {"alice-1": [[10, 7]]}, told
told = client.update_api_key(apiKey="bob", patchOperations=replace("/enabled", "False"))
assert told["enabled"] is False, told
assert client.get_api_key(apiKey="bob")["enabled"] is False

assert failure(client.get_api_key, apiKey="dave") == "NotFoundException"
assert failure(client.get_usage_plan, usagePlanId="silver") == "NotFoundException"
wrong = replace("/name", "x")
assert failure(client.update_api_key, apiKey="bob", patchOperations=wrong) == "BadRequestException"
backwards = {"startDate": "2026-02-01", "endDate": "2026-01-01"}
assert failure(client.get_usage, usagePlanId="gold", **backwards) == "BadRequestException"
print("fine")
