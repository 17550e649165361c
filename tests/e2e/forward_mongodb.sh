#!/bin/bash
# The Python driver of MongoDB through the port: handshake, ping, insert and find, on the driver's own pool and monitor connections.
. "$(dirname "$0")/../support/lib.sh"
start_mongo_stub
start_forward <<YAML
$(listener)
modules:
$(module docs-1 mongodb "$MONGO_PORT")
YAML

answer=$(timeout 30 "$PYTHON" - "$FORWARD_PORT" <<'PYTHON'
import sys, pymongo
client = pymongo.MongoClient("127.0.0.1", int(sys.argv[1]), serverSelectionTimeoutMS=10000)
client.admin.command("ping")
client.shop.orders.insert_many([{"number": n, "text": "x" * 1000} for n in range(5000)])
print(client.shop.orders.find_one({"number": 4242})["number"], len(list(client.shop.orders.find())))
PYTHON
)
assert_eq "$answer" "4242 5000" "documents"
eventually 10 logged 'select(.protocol == "mongodb" and .module == "docs-1" and .bytes_up > 5000000)'
