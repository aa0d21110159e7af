"""The embedded chain as a process: what survives it, who reaches it, when it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from contracts.artifact import REGISTRY, load_artifact
from contracts.chain import connect, fund
from contracts.embedded.evm import EmbeddedChain
from contracts.embedded.methods import Methods
from contracts.embedded.store import Store
from contracts.errors import ChainNotStarted, ChainUnreachable, RpcFailed, WrongChain
from contracts.ledger import AttemptState
from contracts.rpc import Rpc
from tests.contracts.parties import Federation, all_accounts, point
from tests.contracts.test_once import signed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent


def await_true(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("expected it to become true")


def notice(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "chain.json").read_text())
    return content


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_kill_loses_nothing(tmp_path: Path) -> None:
    first = connect(tmp_path)
    federation = Federation(first.url)
    federation.register()
    federation.open_training()
    federation.advance(federation.key(), AttemptState.VOTING)
    events = list(federation.coordinator.events())
    head = federation.coordinator.head()
    os.kill(notice(tmp_path)["pid"], signal.SIGKILL)
    first.close()
    with pytest.raises(ChainUnreachable):
        federation.coordinator.head()
    federation.close()
    with connect(tmp_path) as second:
        ledger = Federation.ledger(federation, 0) if second.url == first.url else None
        assert ledger is not None, "the last port was free, so the chain returns to it"
        assert ledger.head() == head
        assert list(ledger.events()) == events
        assert ledger.attempt(federation.key()).state is AttemptState.VOTING
        ledger.fail(federation.key(), "after the kill")
        assert ledger.head().number == head.number + 1
        ledger.close()


def test_second_process_attaches(tmp_path: Path) -> None:
    with connect(tmp_path) as first:
        second = connect(tmp_path)
        assert (second.url, second.kind) == (first.url, "embedded")
        assert first.started_here
        assert not second.started_here
        second.close()
        with Rpc(first.url) as rpc:
            assert rpc.call("eth_blockNumber") == "0x0"


@contextmanager
def starter(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that started the chain of `folder` and lives until it is killed."""
    code = (
        "import sys, time; from pathlib import Path; from contracts.chain import connect\n"
        "held = connect(Path(sys.argv[1])); print('ready', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_chain_ends_with_its_starter(tmp_path: Path) -> None:
    with starter(tmp_path):
        pid = notice(tmp_path)["pid"]
        assert not is_gone(pid)
    await_true(lambda: is_gone(pid))


def test_a_chain_that_is_leaving_has_no_name() -> None:
    store, ending = Store(Path(":memory:")), [False]
    methods = Methods(EmbeddedChain(store, 1337), store, "its name", lambda: ending[0])
    assert methods.answer("consilium_instance", []) == "its name"
    ending[0] = True
    assert methods.answer("consilium_instance", []) is None
    store.close()


def test_the_starters_end_shows_before_anybody_reads_it() -> None:
    code = (
        "import sys; from contracts.embedded.__main__ import _starter_is_gone\n"
        "print(_starter_is_gone(), flush=True); sys.stdin.buffer.read()\n"
        "print(_starter_is_gone(), flush=True)"
    )
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == b"False\n"
        process.stdin.close()
        assert process.stdout.readline() == b"True\n"


def test_a_chain_whose_starter_is_dead_is_nobodys_chain(tmp_path: Path) -> None:
    with starter(tmp_path) as process:
        chain = notice(tmp_path)
        # Stopped, it cannot end with its starter before it is asked.
        os.kill(chain["pid"], signal.SIGSTOP)
        process.kill()
        process.wait()
    connections = [http.client.HTTPConnection("127.0.0.1", chain["port"]) for _ in range(8)]
    request = {"jsonrpc": "2.0", "id": 1, "method": "consilium_instance", "params": []}
    for one in connections:
        one.request("POST", "/", json.dumps(request))
    os.kill(chain["pid"], signal.SIGCONT)
    with connect(tmp_path) as endpoint, Rpc(endpoint.url) as rpc:
        assert endpoint.started_here
        assert rpc.call("eth_blockNumber") == "0x0"
    for one in connections:
        with suppress(OSError, http.client.HTTPException):
            assert json.loads(one.getresponse().read())["result"] is None
        one.close()


def test_stale_notice_is_no_chain(tmp_path: Path) -> None:
    with connect(tmp_path) as endpoint:
        truth = notice(tmp_path)
        other = tmp_path / "other"
        other.mkdir()
        (other / "chain.json").write_text(json.dumps({**truth, "instance": "another"}))
        with connect(other) as started:
            assert started.started_here
            assert started.url != endpoint.url


def test_database_of_another_chain_is_refused(tmp_path: Path) -> None:
    connect(tmp_path).close()
    with pytest.raises(ChainNotStarted, match="expected chain id 7, the database holds 1337"):
        connect(tmp_path, chain_id=7)
    with connect(tmp_path) as running:
        with pytest.raises(WrongChain):
            connect(tmp_path, chain_id=7)
        with pytest.raises(WrongChain):
            connect(tmp_path, rpc_url=running.url, chain_id=7)
        assert connect(tmp_path, rpc_url=running.url).kind == "external"


def test_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "chain.db").write_bytes(b"not a database, but long enough to look at" * 30)
    with pytest.raises(ChainNotStarted, match="not a database"):
        connect(tmp_path)


def test_silent_url_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChainUnreachable, match=r"http://127\.0\.0\.1:9"):
        connect(tmp_path, rpc_url="http://127.0.0.1:9")


def test_gas_is_free(tmp_path: Path, embedded_chain: Any) -> None:
    fund(embedded_chain, all_accounts())
    with Rpc(embedded_chain.url) as rpc:
        assert int(rpc.call("eth_getBalance", all_accounts()[0], "latest"), 16) == 0


def post(url: str, headers: dict[str, str], method: str = "POST", body: str | None = None) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    connection.request(method, "/", body or json.dumps(request), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Host": "example.org"},
        {"Host": "127.0.0.1.example.org:80"},
        {"Host": "[::2]:80"},
    ],
)
def test_pages_in_a_browser_are_kept_out(embedded_chain: Any, headers: dict[str, str]) -> None:
    assert post(embedded_chain.url, headers)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80", "LOCALHOST:1"])
def test_loopback_names_are_let_in(embedded_chain: Any, host: str) -> None:
    assert post(embedded_chain.url, {"Host": host}) == (
        200,
        {"jsonrpc": "2.0", "id": 1, "result": "0x539"},
    )


def test_only_post_is_answered(embedded_chain: Any) -> None:
    assert post(embedded_chain.url, {}, "GET")[0] == 405


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ("[]", -32600),
        ("7", -32600),
        ('{"id": 1}', -32600),
        ('{"id": 1, "method": "eth_call", "params": {}}', -32600),
        ('{"id": 1, "method": "eth_mine"}', -32601),
        ('{"id": 1, "method": "eth_getBalance"}', -32602),
        ('{"id": 1, "method": "eth_getBalance", "params": ["0x12"]}', -32602),
        ('{"id": 1, "method": "eth_getCode", "params": [7]}', -32602),
        ('{"id": 1, "method": "eth_sendRawTransaction", "params": ["0x1234"]}', -32000),
        ('{"id": 1, "method": "eth_getBlockByHash", "params": ["xx"]}', -32602),
    ],
)
def test_malformed_requests_are_told_apart(embedded_chain: Any, body: str, code: int) -> None:
    status, answer = post(embedded_chain.url, {}, body=body)
    assert (status, answer["error"]["code"]) == (200, code)


def test_batches_are_answered_in_order(embedded_chain: Any) -> None:
    body = json.dumps([{"id": i, "method": "net_version", "params": []} for i in range(3)])
    _, answers = post(embedded_chain.url, {}, body=body)
    assert [(one["id"], one["result"]) for one in answers] == [(i, "1337") for i in range(3)]


def test_more_parties_than_a_training_may_have_keep_their_connections(embedded_chain: Any) -> None:
    # 64 hospitals and 16 nodes of two trainings at once.
    with ExitStack() as stack:
        clients = [stack.enter_context(Rpc(embedded_chain.url, deadline=10.0)) for _ in range(160)]
        assert {client.call("eth_chainId") for client in clients} == {"0x539"}
        assert {client.call("eth_chainId") for client in clients} == {"0x539"}


def test_unprotected_transaction_is_refused(embedded_chain: Any) -> None:
    federation = Federation(embedded_chain.url)
    with Rpc(embedded_chain.url) as rpc:
        with pytest.raises(RpcFailed, match="expected a signature for chain id 1337, got None"):
            rpc.call("eth_sendRawTransaction", signed(federation, 2, chainId=None))
        with pytest.raises(RpcFailed, match="nonce too high"):
            rpc.call("eth_sendRawTransaction", signed(federation, 2, nonce=99))
        with pytest.raises(RpcFailed, match="too much gas"):
            rpc.call("eth_sendRawTransaction", signed(federation, 2, gas=40_000_000))
    federation.close()


def test_web3_speaks_to_it_as_to_any_node(embedded_chain: Any) -> None:
    federation = Federation(embedded_chain.url)
    federation.register()
    w3 = Web3(HTTPProvider(embedded_chain.url))
    contract = w3.eth.contract(
        federation.coordinator.registry.contract, abi=list(load_artifact(REGISTRY).abi)
    )
    logs = contract.events.Registered().get_logs(from_block=0)
    assert [log["args"]["account"] for log in logs] == [
        one.account for one in (*federation.hospitals, *federation.nodes)
    ]
    filters = {"account": federation.nodes[1].account}
    (log,) = contract.events.Registered().get_logs(from_block=0, argument_filters=filters)
    receipt = w3.eth.get_transaction_receipt(log["transactionHash"])
    block = w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    assert block["transactions"][0]["from"] == federation.coordinator.account
    assert w3.eth.get_block(block["hash"])["number"] == block["number"]
    register = contract.functions.register(federation.stranger.account, 1, point("s"))
    gas = register.estimate_gas({"from": federation.coordinator.account})
    assert 50_000 < gas < 400_000
    with pytest.raises(ContractCustomError):
        register.call({"from": federation.stranger.account})
    assert w3.eth.fee_history(2, "latest")["baseFeePerGas"] == [0, 0, 0]
    federation.close()


def test_blocks_do_not_run_ahead_of_time(embedded_chain: Any) -> None:
    federation = Federation(embedded_chain.url)
    before = federation.coordinator.head()
    federation.register()
    after = federation.coordinator.head()
    # Twelve blocks take less than twelve seconds here; a rule of "later than the parent" would
    # have put the last one ahead of the clock.
    assert after.number == before.number + 12
    assert after.timestamp <= int(time.time())
    federation.close()
