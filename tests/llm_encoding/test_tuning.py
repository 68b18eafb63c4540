"""Fine-tuning on tiny networks: what starts, moves, stops, survives a kill, and is refused."""

import json
import math
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModel, BertConfig, BertModel, BertTokenizer, LlamaConfig, LlamaModel

from causalbook.llm_encoding import add_adapters, fine_tune, merge_adapters
from causalbook.llm_encoding.training import Training
from causalbook.llm_encoding.tuning import _loss, _outputs

WORDS = [f"w{i}" for i in range(20)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Several threads on so little work wait for one another, on a busy machine for minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A BERT of two layers that knows twenty words."""
    where = tmp_path_factory.mktemp("tiny")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={w: i for i, w in enumerate(vocabulary)}).save_pretrained(where)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    size |= {"intermediate_size": 32, "vocab_size": 25, "max_position_embeddings": 12}
    BertModel(BertConfig(**size)).save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def data():
    """Texts of two to six words; the target is 3 where w0 is among them, else 1, and noise."""
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS[:6], rng.integers(2, 7))) for _ in range(80)]
    y = np.array([3.0 if "w0" in t.split() else 1.0 for t in texts]) + rng.normal(0, 0.1, 80)
    return texts, y


def tune(tiny, data, **how):
    how = {"model": tiny, "epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "seed": 5} | how
    return fine_tune(*data, **how)


def network(tiny):
    return AutoModel.from_pretrained(tiny).eval()


@pytest.fixture
def batch():
    return torch.tensor([[2, 5, 6, 7, 3], [2, 8, 9, 5, 3]])


# Adapters


def test_adapters_change_nothing_at_the_start(tiny, batch):
    plain, adapted = network(tiny), network(tiny)
    names = add_adapters(adapted, 4, seed=1)
    layers = [f"encoder.layer.{i}.attention.self.{q}" for i in (0, 1) for q in ("query", "value")]
    assert names == layers
    with torch.no_grad():
        assert torch.equal(plain(batch).last_hidden_state, adapted(batch).last_hidden_state)


def test_only_the_adapters_are_free(tiny):
    adapted = network(tiny)
    total = sum(p.numel() for p in adapted.parameters())
    add_adapters(adapted, 4, seed=1)
    free = {name: p.numel() for name, p in adapted.named_parameters() if p.requires_grad}
    assert {name.rpartition(".")[2] for name in free} == {"A", "B"}
    assert sum(free.values()) == 4 * 2 * (4 * 16)  # four layers, A and B, rank times width
    assert sum(p.numel() for p in adapted.parameters()) == total + sum(free.values())


def test_an_adapter_is_the_formula(tiny):
    adapted = network(tiny)
    W = adapted.encoder.layer[0].attention.self.query.weight.detach().double().clone()
    add_adapters(adapted, 4, alpha=6.0, seed=1)
    layer = adapted.encoder.layer[0].attention.self.query.double()
    with torch.no_grad():
        layer.B.normal_()
    x = torch.randn(3, 16, dtype=torch.float64)
    want = x @ (W + 6.0 / 4 * layer.B @ layer.A).T + layer.frozen.bias
    torch.testing.assert_close(layer(x), want, rtol=1e-10, atol=1e-10)


def test_merged_is_unmerged(tiny, batch):
    adapted = network(tiny)
    names = [name for name, _ in adapted.named_modules()]
    add_adapters(adapted, 4, seed=1)
    with torch.no_grad():
        for name, p in adapted.named_parameters():
            if name.endswith(".B"):
                p.normal_()
        before = adapted(batch).last_hidden_state
        plain = network(tiny)(batch).last_hidden_state
        assert (before - plain).abs().max() > 0.1  # the adapters do something
        after = merge_adapters(adapted)(batch).last_hidden_state
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert [name for name, _ in adapted.named_modules()] == names


def test_the_seed_decides_the_adapters(tiny):
    draws = []
    for seed in (1, 1, 2):
        adapted = network(tiny)
        add_adapters(adapted, 2, seed=seed)
        draws.append(adapted.encoder.layer[1].attention.self.value.A)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    # Normal with variance 1 / d_in: 64 draws of variance 1 / 16.
    many = network(tiny)
    add_adapters(many, 16, seed=3)
    A = torch.cat([p for name, p in many.named_parameters() if name.endswith(".A")])
    assert A.numel() == 1024
    assert abs(float(A.detach().std()) - 1 / 4) < 0.02


def test_adapters_fit_a_decoder():
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 30}
    decoder = LlamaModel(LlamaConfig(**size, num_attention_heads=4, num_key_value_heads=2))
    names = add_adapters(decoder, 2, seed=1)
    assert names == ["layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj"]


@pytest.mark.parametrize("rank", [0, -1, 17, 1.5])
def test_a_rank_that_fits_no_layer_is_refused(tiny, rank):
    with pytest.raises(ValueError, match=rf"rank is {rank}: pass a whole number from 1 to 16"):
        add_adapters(network(tiny), rank, seed=1)


def test_a_network_without_attention_is_refused():
    with pytest.raises(ValueError, match="no linear layer called query, value, q_proj, v_proj"):
        add_adapters(torch.nn.Linear(3, 3), 1, seed=1)


# Training


def test_before_training_all_predictions_are_the_mean(tiny, data):
    texts, y = data
    untrained = tune(tiny, data, epochs=0)
    assert untrained.best == 0
    held = np.random.default_rng(5).permutation(80)[:16]  # as the docstring: a share held out
    fit = np.setdiff1d(np.arange(80), held)
    np.testing.assert_allclose(untrained.predict(texts), y[fit].mean(), rtol=1e-12)
    # The loss of the mean on the held-out rows, in units of the training rows' variance.
    want = ((y[held] - y[fit].mean()) ** 2).mean() / y[fit].var()
    assert untrained.history["validation"].iloc[0] == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("rank", [None, 4])
def test_learns_which_word_matters(tiny, data, rank):
    tuned = tune(tiny, data, rank=rank, epochs=15, batch_size=4, learning_rate=5e-3)
    low, high = tuned.predict(["w1 w2 w3", "w1 w0 w3"])
    assert low < 1.5
    assert high > 2.5
    losses = tuned.history["training"].iloc[1:]
    assert losses.iloc[-1] < 0.3 * losses.iloc[0]


def test_probabilities_for_a_binary_target(tiny, data):
    texts, y = data
    how = {"loss": "bce", "epochs": 15, "batch_size": 4, "learning_rate": 5e-3}
    tuned = tune(tiny, (texts, (y > 2).astype(int)), **how)
    p = tuned.predict(["w1 w2 w3", "w1 w0 w3"])
    assert 0 < p[0] < 0.3
    assert 0.7 < p[1] < 1
    assert tuned.history["validation"].iloc[0] == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize(("rank", "free"), [(0, 0), (4, 512), (None, None)])
def test_says_how_much_was_trained(tiny, data, rank, free):
    body = sum(p.numel() for p in network(tiny).parameters())
    tuned = tune(tiny, data, rank=rank, epochs=1)
    assert tuned.trained == (body if free is None else free) + 17  # the head: 16 and 1
    assert tuned.parameters == body + (free or 0) + 17
    assert repr(tuned).endswith(
        f"{tuned.trained:,} of {tuned.parameters:,} parameters were trained"
    )


@pytest.mark.parametrize("rank", [0, 4])
def test_frozen_weights_stay_as_they_were(tiny, data, rank):
    before, after = network(tiny).state_dict(), tune(tiny, data, rank=rank).network.state_dict()
    after = {name.replace(".frozen", ""): t for name, t in after.items()}
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_same_seed_the_same_numbers_and_another_others(tiny, data):
    torch.manual_seed(1)
    first = tune(tiny, data).predict(data[0])
    torch.manual_seed(2)  # the dice of the reader do not matter
    assert np.array_equal(first, tune(tiny, data).predict(data[0]))
    assert not np.array_equal(first, tune(tiny, data, seed=6).predict(data[0]))


def test_leaves_the_readers_dice_alone(tiny, data):
    torch.manual_seed(1)
    want = torch.rand(3)
    torch.manual_seed(1)
    tune(tiny, data)
    assert torch.equal(torch.rand(3), want)


def test_keeps_the_best_epoch_and_stops_after_two_worse(tiny, data):
    texts, _ = data
    noise = np.random.default_rng(0).normal(size=80)  # nothing to learn: validation gets worse
    tuned = tune(tiny, (texts, noise), epochs=40, learning_rate=1e-2)
    held = tuned.history["validation"]
    assert len(held) == tuned.best + 3 < 41
    assert tuned.best == held.idxmin()
    rows = np.random.default_rng(5).permutation(80)[:16]
    fit = np.setdiff1d(np.arange(80), rows)
    p = tuned.predict([texts[i] for i in rows])
    loss = ((p - noise[rows]) ** 2).mean() / noise[fit].var()
    assert loss == pytest.approx(held.min(), rel=1e-5)  # these are the weights of that epoch


def training(tiny, tokens, **run):
    run = {"loss": "mse", "epochs": 5, "batch_size": 16, "learning_rate": 1e-2, "seed": 1} | run
    return Training(network(tiny), tokens, np.zeros(len(tokens)), np.arange(len(tokens)), run)


def test_the_rate_rises_and_falls(tiny):
    run, rates = training(tiny, [[2, 5, 3]] * 64), []
    for step in range(20):  # five epochs of four batches
        run.step = step
        run._set_rates()
        rates.append([group["lr"] for group in run.optimiser.param_groups])
    body, head = np.array(rates).T
    np.testing.assert_allclose(body, np.r_[0.5, np.linspace(19, 1, 19) / 19] * 1e-2)
    np.testing.assert_allclose(head, body / 2)  # 5e-3


def test_each_row_is_seen_once_an_epoch(tiny):
    tokens = [[2] + [5] * (i % 7) + [3] for i in range(64)]
    run = training(tiny, tokens, batch_size=3)
    batches = run._batches(1)
    assert sorted(np.concatenate(batches)) == list(range(64))
    assert max(map(len, batches)) == 3
    spread = [np.ptp([len(tokens[i]) for i in batch]) for batch in batches]
    assert np.mean(spread) < 1.5  # of six: texts of like length stand together
    assert [list(b) for b in run._batches(2)] != [list(b) for b in batches]


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_the_training_loss_is_the_validation_loss(tiny, loss):
    """Two codes for one number: torch on a padded batch, numpy on vectors encoded one by one."""
    tokens = [[2, 5, 3], [2, 6, 7, 8, 3], [2, 9, 5, 3]]
    run, y = training(tiny, tokens, loss=loss), np.array([0.0, 1.0, 1.0])
    run.z = torch.tensor(y, dtype=torch.float32)
    torch.manual_seed(3)
    torch.nn.init.normal_(run.head.weight)
    with torch.no_grad():
        found = float(run._loss(np.arange(3)))
        alone = [run.network(torch.tensor([t])).last_hidden_state.mean(1) for t in tokens]
    z = _outputs(run.head, torch.cat(alone).numpy())
    assert found == pytest.approx(_loss(z, y, loss), rel=1e-5)
    if loss == "bce":  # by the definition
        p = 1 / (1 + np.exp(-z))
        assert found == pytest.approx(-np.log(np.where(y == 1, p, 1 - p)).mean(), rel=1e-5)


def test_padding_and_order_change_no_prediction(tiny, data):
    tuned = tune(tiny, data)
    texts = ["w1", "w0 w2 w3 w4 w5 w6", "w7 w8"]
    alone = [tuned.predict([t])[0] for t in texts]
    np.testing.assert_allclose(tuned.predict(texts), alone, rtol=1e-5)
    np.testing.assert_allclose(tuned.predict(texts[::-1]), alone[::-1], rtol=1e-5)


def test_long_texts_are_reported(tiny, data):
    texts, y = data
    long = [*texts[:-2], " ".join(WORDS), " ".join(WORDS[:15])]
    with pytest.warns(
        UserWarning, match="longer than the 12 tokens that the model reads in 2 of 80 rows"
    ):
        tuned = tune(tiny, (long, y), epochs=1)
    with pytest.warns(UserWarning, match="in 1 of 1 rows"):
        cut = tuned.predict([" ".join(WORDS)])
    np.testing.assert_allclose(cut, tuned.predict([" ".join(WORDS[:10])]))  # 12 with both marks


# Checkpoints

CHILD = """
import json, os, signal, sys
import torch
torch.set_num_threads(1)
from causalbook.llm_encoding import fine_tune
from causalbook.llm_encoding.training import Training
texts, y, how, last = json.load(open(sys.argv[1]))
move = Training._set_rates

def die_at_the_last(run):
    if run.step == last:
        os.kill(os.getpid(), signal.SIGKILL)
    move(run)

Training._set_rates = die_at_the_last
fine_tune(texts, y, **how)
"""


def test_a_killed_run_goes_on_to_the_same_numbers(tiny, data, tmp_path):
    """SIGKILL within an epoch, then the same call again: to the bit as one never stopped."""
    how = {"model": str(tiny), "rank": 4, "epochs": 4, "batch_size": 4, "learning_rate": 1e-3}
    how["seed"] = 5
    texts, y = data
    file = tmp_path / "run.safetensors"
    last = 16 + 16 + 7  # in the middle of the third epoch of sixteen steps
    task = [texts, list(y), how | {"checkpoint": str(file)}, last]
    (tmp_path / "in.json").write_text(json.dumps(task))
    child = subprocess.run([sys.executable, "-c", CHILD, tmp_path / "in.json"], check=False)
    assert child.returncode == -signal.SIGKILL
    with safe_open(file, framework="pt") as saved:
        assert json.loads(saved.metadata()["facts"])["step"] == 32  # two epochs are written
    resumed, whole = tune(tiny, data, **how, checkpoint=file), tune(tiny, data, **how)
    assert len(whole.history) == 5
    assert np.array_equal(resumed.predict(texts), whole.predict(texts))
    assert resumed.history.equals(whole.history)


def test_a_finished_run_is_read_and_not_repeated(tiny, data, tmp_path, monkeypatch):
    file = tmp_path / "new" / "run.safetensors"
    first = tune(tiny, data, checkpoint=file)
    monkeypatch.setattr("torch.optim.AdamW.step", lambda *_: pytest.fail("trained again"))
    again = tune(tiny, data, checkpoint=str(file))
    assert np.array_equal(first.predict(data[0]), again.predict(data[0]))
    assert first.history.equals(again.history)
    assert [p.name for p in file.parent.iterdir()] == [file.name]  # no half-written file is left


def test_a_checkpoint_of_another_run_is_refused(tiny, data, tmp_path):
    file, (texts, y) = tmp_path / "run.safetensors", data
    tune(tiny, data, checkpoint=file)
    with pytest.raises(ValueError, match="is of a run with other epochs, seed: pass another path"):
        tune(tiny, data, checkpoint=file, epochs=3, seed=6)
    with pytest.raises(ValueError, match="with other target"):
        tune(tiny, (texts, y + 1), checkpoint=file)
    with pytest.raises(ValueError, match="with other texts"):
        tune(tiny, (texts[::-1], y), checkpoint=file)


def test_a_broken_checkpoint_is_refused(tiny, data, tmp_path):
    file = tmp_path / "run.safetensors"
    tune(tiny, data, checkpoint=file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read: remove it, and training starts anew"):
        tune(tiny, data, checkpoint=file)


def test_a_checkpoint_runs_no_code(tiny, data, tmp_path):
    """A pickle in the checkpoint's place is refused unread."""
    file = tmp_path / "run.safetensors"
    torch.save({"facts": 1}, file)
    with pytest.raises(ValueError, match="cannot be read"):
        tune(tiny, data, checkpoint=file)


# Refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "mae"}, "loss is 'mae': pass 'mse', or 'bce'"),
        ({"loss": "bce"}, "target is neither 0 nor 1 in"),
        ({"validation": 0.0}, "validation is 0.0, which holds out 0 of 80 rows"),
        ({"validation": 1.0}, "holds out 80 of 80 rows"),
        ({"epochs": -1}, "epochs is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"seed": -1}, "seed is -1"),
        ({"rank": 99}, "rank is 99: pass a whole number from 1 to 16"),
        ({"model": "nowhere/such"}, "model is 'nowhere/such': no folder here"),
    ],
)
def test_what_cannot_be_is_refused(tiny, data, change, message):
    with pytest.raises(ValueError, match=message):
        tune(tiny, data, **change)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (lambda t: "one text", "texts is one text: pass a list"),
        (lambda t: [*t[:-1], None], r"texts is missing in 1 of 80 rows \(first: 79\)"),
        (lambda t: ["  ", *t[1:]], r"texts is empty in 1 of 80 rows \(first: 0\)"),
        (lambda t: t[:-1], "unequal lengths: texts has 79, target has 80"),
    ],
)
def test_texts_that_are_none_are_refused(tiny, data, texts, message):
    with pytest.raises(ValueError, match=message):
        tune(tiny, (texts(data[0]), data[1]))


def test_a_target_without_differences_is_refused(tiny, data):
    with pytest.raises(ValueError, match="target is 1 in every row that trains: there is nothing"):
        tune(tiny, (data[0], np.ones(80)))
    held = np.random.default_rng(5).permutation(80)[0]  # the only other value is held out
    for loss in ("mse", "bce"):
        with pytest.raises(ValueError, match="target is 0 in every row that trains"):
            tune(tiny, (data[0], np.eye(80)[held]), loss=loss)
    with pytest.raises(ValueError, match="target is NaN or infinite in 1 of 80 rows"):
        tune(tiny, (data[0], np.r_[np.nan, data[1][1:]]))
