import json, sys
from pathlib import Path
import pytest
from tests.engines import brisk, postgres as server
from tests.engines.tables import Tables
from tests.composition.recipe import Recipe
from tests.composition.conftest import postgres
D="12345678901234567890123456789012345678"
def test_x(account, postgres, tmp_path):
    own = Tables(account)
    for t,k in (("orders",(("id","S"),)),("events",(("pk","S"),("sk","N")))):
        own.note(t); own.wire.create_table(t,k)
    put=lambda t,i: own.wire.call("PutItem",{"TableName":t,"Item":i})
    put("orders",{"id":{"S":"1"},"total":{"N":D},"tags":{"SS":["a","b"]},"address":{"M":{"city":{"S":"x"},"n":{"N":D}}},"lines":{"L":[{"N":"1"},{"S":"x"}]},"photo":{"B":"AAH/"},"note":{"S":"a\x00b"}, "paid":{"BOOL":True}})
    put("orders",{"id":{"S":"2"},"total":{"N":"1.50"}})
    put("orders",{"id":{"S":"3"},"total":{"N":"-1.50"}})
    put("events",{"pk":{"S":"a"},"sk":{"N":D},"x":{"S":"a\x00b"},"bin":{"B":"AAH/"}, "amount":{"N":D}})
    r=Recipe("postgres",tmp_path,account)
    brisk.script(tmp_path,"tap-dynamodb",brisk.SHORT)
    r.write({"tap-dynamodb":tmp_path/"tap-dynamodb","target-postgres":server._ENVIRONMENT/"bin"/"target-postgres"},
      {"tap-dynamodb":account.config(),"target-postgres":{k:v for k,v in postgres.config("x").items() if k in("host","port")}})
    line=r.blocks()[0]
    e=r.try_(line,POSTGRES_PASSWORD="none"); print(e.code, e.err[-6000:])
    print(postgres.columns("shop","orders")); print(postgres.columns("shop","events"))
    print(postgres.query("select * from shop.orders")); print(postgres.query("select * from shop.events"))
    own.wire.call("DeleteItem",{"TableName":"orders","Key":{"id":{"S":"1"}}})
    put("orders",{"id":{"S":"2"},"total":{"N":"2.50"},"fresh":{"N":D}})
    e=r.try_(line,POSTGRES_PASSWORD="none"); print(e.code, e.err[-3000:])
    print(postgres.columns("shop","orders"));
    print(postgres.query("select * from shop.orders")); 
    put("orders",{"id":{"S":"1"},"total":{"N":"7"}})
    e=r.try_(line,POSTGRES_PASSWORD="none"); print(e.code)
    print(postgres.query("select * from shop.orders where id='1'")); 
    # nested nul
    put("events",{"pk":{"S":"b"},"sk":{"N":D},"m":{"M":{"deep":{"L":[{"S":"a\x00b"}]}}}, "amount":{"N":D}})
    e=r.try_(line,POSTGRES_PASSWORD="none"); print(e.code, e.err[-2500:])
    p=json.loads((tmp_path/"meltano.yml").read_text())
    p["plugins"]["extractors"][0]["config"]["stream_maps"]={"orders":{"note":r"record.get('note') and record['note'].replace('\x00', '')"},"events":{"item":r"record.get('item') and json.loads(json.dumps(item).replace('\\u0000', ''))"}}
    (tmp_path/"meltano.yml").write_text(json.dumps(p))
    e=r.try_(line,POSTGRES_PASSWORD="none"); print(e.code, e.err[-2500:])
    print(postgres.query("select * from shop.events")); 
    own.drop()
    assert 0
