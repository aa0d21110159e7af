"""Asking for a training: what becomes of the form, who may, what is kept on an error."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from app.admin.training_form import values_of
from app.services.requests import TrainingRequest
from fl.attacks import ATTACKS
from tests.app.web.conftest import Site

HEART = {
    "hospitals": ["Cleveland", "Hungary", "VA Long Beach"],
    "rounds": "4",
    "local_epochs": "2",
    "learning_rate": "0.01",
    "decay": "0.9",
    "share": "75",
    "seed": "11",
    "review": "y",
    "fraction": "1/2",
    "donated_rows": "16",
    "attack": "",
    "attackers": "1",
}
DIABETES = {
    "hospitals": "6",
    "partition": "iid",
    "alpha": "0.5",
    "rounds": "3",
    "local_epochs": "1",
    "learning_rate": "0.001",
    "decay": "1",
    "share": "100",
    "seed": "7",
    "review": "y",
    "fraction": "1/2",
    "donated_rows": "16",
    "attack": "",
    "attackers": "1",
}


def test_heart_is_asked_for_as_the_form_says(site: Site) -> None:
    alice = site.browser("administrator")
    answer = alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    assert (answer.status_code, answer.location) == (303, f"/admin/jobs/{job.id}")
    assert TrainingRequest.from_json(job.request) == TrainingRequest(
        task="heart",
        hospitals=("Cleveland", "Hungary", "VA Long Beach"),
        rounds=4,
        local_epochs=2,
        learning_rate=0.01,
        decay=0.9,
        share=0.75,
        seed=11,
        fraction="1/2",
        donated_rows=16,
    )
    assert job.requested_by == site.row("administrator").id


def test_diabetes_is_asked_for_as_the_form_says(site: Site) -> None:
    site.browser("administrator").send("/admin/trainings/new/diabetes", DIABETES)
    (job,) = site.services.jobs.queue()
    assert TrainingRequest.from_json(job.request) == TrainingRequest(
        task="diabetes",
        hospitals=6,
        partition="iid",
        alpha=0.5,
        rounds=3,
        local_epochs=1,
        learning_rate=0.001,
        decay=1.0,
        share=1.0,
        seed=7,
        fraction="1/2",
        donated_rows=16,
    )


def asked(site: Site, **more: str) -> TrainingRequest:
    """What becomes of the heart form with these values; one of "" is not sent."""
    fields = {name: value for name, value in (HEART | more).items() if value or name == "attack"}
    site.browser("administrator").send("/admin/trainings/new/heart", fields)
    (job,) = site.services.jobs.queue()
    return TrainingRequest.from_json(job.request)


def test_updates_are_tested_unless_that_is_switched_off(site: Site) -> None:
    assert not asked(site, review="").review


def test_the_verification_rule_is_asked_for_as_the_form_says(site: Site) -> None:
    request = asked(site, fraction="3/4", donated_rows="8")
    assert (request.fraction, request.donated_rows) == ("3/4", 8)


def test_a_decimal_comma_is_read(site: Site) -> None:
    request = asked(site, learning_rate="0,01", decay=" 0,9", share="62,5")
    assert (request.learning_rate, request.decay, request.share) == (0.01, 0.9, 0.625)


def test_attackers_are_asked_for_as_the_form_says(site: Site) -> None:
    request = asked(site, attack="label-flip", attackers="2")
    assert (request.attack, request.attackers, request.review) == ("label-flip", 2, True)


SEVERAL = {"attack": "label-flip", "attackers": "2", "attack_3": "sign-flip", "attackers_3": ""}


def test_attackers_of_several_kinds_are_asked_for_as_the_form_says(site: Site) -> None:
    alice = site.browser("administrator")
    answer = alice.send("/admin/trainings/new/diabetes", DIABETES | {"hospitals": "8"} | SEVERAL)
    assert answer.status_code == 303
    (job,) = site.services.jobs.queue()
    request = TrainingRequest.from_json(job.request)
    assert request.attacks == (("label-flip", 2), ("sign-flip", 1))
    assert (request.attack, request.attackers) == (None, None)
    assert values_of(request)["attack_2"] == "sign-flip"
    assert values_of(request)["attackers_2"] == 1


def test_one_kind_in_any_row_is_a_request_as_ever(site: Site) -> None:
    request = asked(site, attack_2="sign-flip", attackers_2="2")
    assert (request.attack, request.attackers, request.attacks) == ("sign-flip", 2, None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (SEVERAL | {"attackers": "5"}, "at most 5 attackers together, not 6."),
        (SEVERAL | {"attack_3": "label-flip"}, "This attack is chosen above: give its number"),
        (SEVERAL | {"attackers_3": "two"}, "Expected a whole number, 1 to 10."),
    ],
)
def test_several_kinds_that_cannot_be_are_told_at_their_row(
    site: Site, more: dict[str, str], words: str
) -> None:
    alice = site.browser("administrator")
    form = DIABETES | {"hospitals": "8"} | more
    answer = alice.send("/admin/trainings/new/diabetes", form)
    assert answer.status_code == 422
    third = answer.text.split('<details class="more-attacks"')[2]
    assert third.startswith(" open>")
    assert '<details class="more-attacks" open>' in answer.text
    assert words in unescape(third)


def test_without_an_attack_there_are_no_attackers(site: Site) -> None:
    request = asked(site, attackers="3")
    assert (request.attack, request.attackers) == (None, None)


def test_a_stopping_rule_is_asked_for_as_the_form_says(site: Site) -> None:
    request = asked(site, stop_accuracy="84.1", patience="3")
    assert (request.stop_accuracy, request.patience) == (0.841, 3)


def test_an_empty_stopping_rule_is_none(site: Site) -> None:
    answer = site.browser("administrator").send(
        "/admin/trainings/new/heart", HEART | {"stop_accuracy": "", "patience": " "}
    )
    assert answer.status_code == 303
    (job,) = site.services.jobs.queue()
    request = TrainingRequest.from_json(job.request)
    assert (request.stop_accuracy, request.patience) == (None, None)


def test_form_tells_what_each_attack_does(site: Site) -> None:
    page = site.browser("administrator").get("/admin/trainings/new/heart").text
    for attack in ATTACKS.values():
        assert f'<option value="{attack.name}">{attack.title}</option>' in page
        assert attack.effect in page
    assert re.search(r'<input[^>]* checked[^>]* name="review"', page)


def test_installation_that_cannot_test_says_so(site: Site) -> None:
    settings = site.services.settings
    site.app.extensions["consilium"] = replace(
        site.services, settings=settings.model_copy(update={"threshold": 2})
    )
    alice = site.browser("administrator")
    page = alice.get("/admin/trainings/new/heart").text
    assert "Not possible here" in page
    assert not re.search(r'<input[^>]* checked[^>]* name="review"', page)
    answer = alice.send("/admin/trainings/new/heart", HEART)
    assert answer.status_code == 422
    assert "cannot test updates" in answer.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rounds": "51"}, "At most 50 rounds when updates are tested"),
        ({"attack": "label-flip", "attackers": "4"}, "as many as there are hospitals: 3."),
        ({"attack": "bribery"}, "Not a valid choice"),
        ({"fraction": "9/8"}, "Not a valid choice"),
        ({"donated_rows": "257"}, "Expected a whole number, 1 to 256."),
        ({"attackers": "0"}, "Expected a whole number, 1 to 10."),
        ({"hospitals": ["Cleveland", "Hungary"]}, "Choose at least 3 hospitals"),
        ({"hospitals": ["Cleveland", "Hungary", "Atlantis"]}, "not a valid choice"),
        ({"rounds": "0"}, "Expected a whole number, 1 to 1000."),
        ({"rounds": "ten"}, "Expected a whole number"),
        ({"learning_rate": "nan"}, "Expected a number"),
        ({"decay": "0.49"}, "Expected a number, 0.5 to 1."),
        ({"stop_accuracy": "101"}, "Expected a number, 1 to 100."),
        ({"patience": "0"}, "Expected a whole number, 1 to 1000."),
        ({"seed": "-1"}, "Expected a whole number, 0 to 9223372036854775807."),
        ({"seed": str(2**63)}, "Expected a whole number, 0 to 9223372036854775807."),
    ],
)
def test_wrong_values_are_named_and_the_others_kept(
    site: Site, wrong: dict[str, object], said: str
) -> None:
    answer = site.browser("administrator").send(
        "/admin/trainings/new/heart", HEART | {"local_epochs": "17"} | wrong
    )
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="17"' in answer.text
    assert not site.services.jobs.queue()


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("learning_rate", "fast", "Expected a number, 0.00001 to 1."),
        ("learning_rate", "", "Expected a number, 0.00001 to 1."),
        ("alpha", "1,500", "Write a point before the fraction, as in 0.5"),
        ("learning_rate", "0,0,1", "Write a point before the fraction, as in 0.5"),
        ("rounds", "1,5", "Write a point before the fraction, as in 0.5"),
        ("rounds", "ten", "Expected a whole number, 1 to 1000."),
        ("patience", "two", "Expected a whole number, 1 to 1000."),
        ("hospitals", "2.5", "Expected a whole number, "),
        ("seed", "0x", "Expected a whole number, from 0."),
    ],
)
def test_what_is_no_number_is_told_once_and_in_our_words(
    site: Site, name: str, typed: str, said: str
) -> None:
    answer = site.browser("administrator").send(
        "/admin/trainings/new/diabetes", DIABETES | {name: typed}
    )
    assert answer.status_code == 422
    assert answer.text.count(said) == 1
    assert "Not a valid" not in answer.text
    assert f'value="{typed}"' in answer.text


def test_form_says_what_becomes_of_the_model(site: Site) -> None:
    page = site.browser("administrator").get("/admin/trainings/new/heart").text
    footer = page.split('class="card-footer"', 1)[1]
    assert "waits on the page Models until an administrator promotes it" in footer


def test_the_cost_is_told_before_anything_starts(site: Site) -> None:
    alice = site.browser("administrator")
    page = alice.get("/admin/trainings/new/heart").text
    assert "No training has finished on this machine yet" in page
    # 11 times 25 and a donation of 21, with four hospitals and four nodes, and two around them;
    # then four times 24 and one of 20, with three hospitals.
    assert ">298<" in page
    answer = alice.send("/admin/trainings/new/heart", HEART | {"estimate": "1", "rounds": "3"})
    assert answer.status_code == 200
    assert ">118<" in answer.text
    assert 'value="3"' in answer.text
    assert not site.services.jobs.queue()


def test_the_estimate_warns_where_attackers_are_too_many(site: Site) -> None:
    alice = site.browser("administrator")
    fields = HEART | {"estimate": "1", "attack": "label-flip", "attackers": "2"}
    assert "No honest majority: 2 of 3 hospitals attack." in (
        alice.send("/admin/trainings/new/heart", fields).text
    )
    honest = alice.send("/admin/trainings/new/heart", fields | {"attack": ""}).text
    assert "honest majority" not in honest


def test_of_wrong_values_no_cost_is_told(site: Site) -> None:
    alice = site.browser("administrator")
    answer = alice.send("/admin/trainings/new/heart", HEART | {"estimate": "1", "rounds": "0"})
    assert answer.status_code == 422
    assert "What it will cost" not in answer.text


def test_stranger_is_refused(site: Site) -> None:
    assert site.browser("doctor").send("/admin/trainings/new/heart", HEART).status_code == 403
    assert not site.services.jobs.queue()


def test_unknown_task_is_not_found(site: Site) -> None:
    assert site.browser("administrator").get("/admin/trainings/new/lungs").status_code == 404


def test_request_and_stop_are_in_the_audit_log(site: Site) -> None:
    alice = site.browser("administrator")
    alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    alice.send(f"/admin/jobs/{job.id}/stop")
    assert site.services.jobs.find(job.id).state == "stopped"
    newest = site.services.audit.entries(1).entries[:2]
    assert [(one.actor, one.action, one.subject) for one in newest] == [
        ("Alice administrator", "training.stop_requested", f"job {job.id}"),
        ("Alice administrator", "training.requested", f"job {job.id}"),
    ]
    assert json.loads(newest[1].details)["request"] == job.request


def test_a_waiting_training_is_paused_and_resumed_by_name(site: Site) -> None:
    alice = site.browser("administrator")
    alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    page = alice.get(f"/admin/jobs/{job.id}").text
    assert "Pause the training" in page
    assert ">Resume<" not in page
    page = alice.send(f"/admin/jobs/{job.id}/pause", follow_redirects=True).text
    assert "Paused at" in page
    assert "Heart disease, paused" in page
    assert ">Resume<" in page
    assert "Pause the training" not in page
    assert not site.services.jobs.queue()
    assert "can be paused" in alice.send(f"/admin/jobs/{job.id}/pause", follow_redirects=True).text
    alice.send(f"/admin/jobs/{job.id}/resume")
    assert [one.id for one in site.services.jobs.queue()] == [job.id]
    assert "is not paused" in alice.send(f"/admin/jobs/{job.id}/resume", follow_redirects=True).text
    newest = site.services.audit.entries(1).entries[:2]
    assert [(one.actor, one.action, one.subject) for one in newest] == [
        ("Alice administrator", "training.resumed", f"job {job.id}"),
        ("Alice administrator", "training.pause_requested", f"job {job.id}"),
    ]


def test_a_page_with_the_wrong_button_is_loaded_again(site: Site) -> None:
    alice = site.browser("administrator")
    alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    assert "HX-Refresh" not in alice.get(f"/admin/jobs/{job.id}/now?resting=0").headers
    site.services.jobs.request_pause(job.id)
    assert alice.get(f"/admin/jobs/{job.id}/now?resting=0").headers["HX-Refresh"] == "true"
    assert "HX-Refresh" not in alice.get(f"/admin/jobs/{job.id}/now?resting=1").headers


def test_stopping_twice_is_told_and_harmless(site: Site) -> None:
    alice = site.browser("administrator")
    alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    alice.send(f"/admin/jobs/{job.id}/stop")
    page = alice.send(f"/admin/jobs/{job.id}/stop", follow_redirects=True)
    assert "there is nothing to stop" in page.text


def test_waiting_job_is_polled_until_it_is_over(site: Site) -> None:
    alice = site.browser("administrator")
    alice.send("/admin/trainings/new/heart", HEART)
    (job,) = site.services.jobs.queue()
    assert alice.get(f"/admin/jobs/{job.id}/now").status_code == 200
    alice.send(f"/admin/jobs/{job.id}/stop")
    over = alice.get(f"/admin/jobs/{job.id}/now")
    assert over.status_code == 286
    assert "Stopped before it began." in over.text


@pytest.mark.parametrize(
    "path",
    [
        "/admin/jobs/999",
        "/admin/jobs/999/now",
        f"/admin/trainings/{'0' * 64}",
        "/admin/trainings/x/now",
    ],
)
def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert site.browser("administrator").get(path).status_code == 404


def value_of(page: str, name: str) -> str:
    """What a field of the form is filled in with."""
    (tag,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
    found = re.search(r' value="([^"]*)"', tag)
    assert found
    return found.group(1)


def test_training_again_is_filled_in_as_it_was_asked_for(site: Site) -> None:
    alice = site.browser("administrator")
    unusual = {
        "hospitals": "9", "partition": "iid", "rounds": "7", "share": "55.5", "patience": "4",
        "stop_accuracy": "84.1", "decay": "0.9", "donated_rows": "5", "fraction": "3/4",
        "attack": "ipm", "attackers": "2",
    }  # fmt: skip
    alice.send("/admin/trainings/new/diabetes", DIABETES | unusual)
    (first,) = site.services.jobs.queue()
    link = f"/admin/trainings/new/diabetes?like={first.id}"
    assert link in alice.get(f"/admin/jobs/{first.id}").text
    page = alice.get(link).text
    for name, value in unusual.items():
        if name not in ("partition", "fraction", "attack"):
            assert value_of(page, name) == value, name
    for chosen in ('<option selected value="3/4">', '<option selected value="ipm">'):
        assert chosen in page
    # Sent as it is, it asks for the same; what is wrong is told as ever.
    alice.send(link, DIABETES | unusual)
    _, second = site.services.jobs.queue()
    assert second.request == first.request
    assert alice.send(link, DIABETES | {"rounds": "0"}).status_code == 422


def test_a_fraction_that_only_commands_know_can_be_chosen_again(site: Site) -> None:
    alice = site.browser("administrator")
    job = site.services.jobs.submit(TrainingRequest(fraction="2/3"), None)
    link = f"/admin/trainings/new/heart?like={job.id}"
    assert '<option selected value="2/3">2/3 of the lead</option>' in alice.get(link).text
    assert alice.send(link, HEART | {"fraction": "2/3"}).status_code == 303


@pytest.mark.parametrize("link", ["heart?like=99", "heart?like=x", "diabetes?like=1"])
def test_what_there_is_not_or_is_of_another_task_cannot_be_asked_for_again(
    site: Site, link: str
) -> None:
    site.services.jobs.submit(TrainingRequest(), None)
    assert site.browser("administrator").get(f"/admin/trainings/new/{link}").status_code == 404
