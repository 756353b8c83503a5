"""`borderpost audit checkpoint|prove|witness`: what the log has signed, what that proves, and who keeps watch."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.cli.people import AUDITOR, Person
from borderpost.proofs.checkpoints import open_checkpoint, parse_checkpoint
from borderpost.proofs.cosignatures import witness_verifier
from borderpost.proofs.notes import NoteError, Signer, Verifier, split_note
from borderpost.proofs.tree import verify_inclusion
from borderpost.proofs.witness import Witness, cosigned
from borderpost.runtime.settings import load_settings
from borderpost.runtime.signing import load_signing_key
from borderpost.v1 import transparency_pb2 as pb

As = Annotated[str, typer.Option("--as", help="Your identity.")]
LogKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--log-key", help="The log's key, as you know it from elsewhere (NAME+HASH+BASE64); may be repeated."
    ),
]


def checkpoint(
    make: Annotated[bool, typer.Option("--make", help="Have one made of everything up to now.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write it to a file.")] = None,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """Show the log's newest checkpoint, and the keys that it is signed with: publish these, so that others can check.

    Example: `borderpost audit checkpoint --make`
    """
    with Person(load_settings(), identity) as auditor:
        answer = auditor.ask(auditor.transparency.GetCheckpoint, pb.GetCheckpointRequest(make=make))
    if out is not None:
        out.write_text(answer.checkpoint, encoding="utf-8")

    def render() -> None:
        show.console.print(answer.checkpoint, end="")
        for key in answer.verifier_keys:
            show.console.print(f"\nlog key: {key}", soft_wrap=True)

    show.emit(as_json, answer, render)


def prove(
    index: Annotated[int, typer.Argument(min=0, help="The event's place in the log.")],
    log_key: LogKeys = None,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """Prove that an event is in the log, checked on this machine.

    Example: `borderpost audit prove 42`
    """
    with Person(load_settings(), identity) as auditor:
        made = auditor.ask(auditor.transparency.GetCheckpoint, pb.GetCheckpointRequest(make=True))
        keys = [Verifier.parse(key) for key in log_key or made.verifier_keys]
        origin = parse_checkpoint(split_note(made.checkpoint)[0]).origin
        signed = open_checkpoint(made.checkpoint, keys, origin)
        request = pb.GetInclusionProofRequest(index=index, size=signed.size)
        proof = auditor.ask(auditor.transparency.GetInclusionProof, request)
    holds = verify_inclusion(proof.leaf_sha256, index, signed.size, proof.hashes, signed.root)
    plain = {
        "proven": holds,
        "index": index,
        "leaf_sha256": proof.leaf_sha256.hex(),
        "hashes": [node.hex() for node in proof.hashes],
        "checkpoint": made.checkpoint,
    }
    sentence = (
        f"Event {index:,} is one of the {signed.size:,} events that {signed.origin} has signed as its log: with these "
        f"{show.count(len(proof.hashes), 'hash', 'hashes')} its own hash {proof.leaf_sha256.hex()[:16]}… leads to the "
        "root in the signed checkpoint. It can't be changed or taken out without breaking that signature."
    )
    show.emit(
        as_json, plain, lambda: sentence if holds else "NOT PROVEN: the proof doesn't lead to the checkpoint."
    )
    if not holds:
        raise typer.Exit(1)


def witness(
    key: Annotated[
        Path, typer.Option(dir_okay=False, help="Your key (Ed25519, PEM); made if it isn't there.")
    ],
    state: Annotated[Path, typer.Option(file_okay=False, help="Your folder: what you have seen of the log.")],
    name: Annotated[str, typer.Option(help="Your name as a witness, without spaces.")] = "witness",
    log_key: LogKeys = None,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """Fetch the log's newest checkpoint, check that the log only grew since the last one, keep it and cosign it.

    Run it from time to time, on a machine and with a key that who runs the log can't reach: who holds the log's key
    could otherwise write its history anew. Exit status 1, and both checkpoints kept as evidence, if the log isn't
    what it was.

    Example: `borderpost audit witness --key witness.pem --state witness/ --name ngo.example/witness`
    """
    signer = Signer(name, load_signing_key(key, make=True))
    keeper = Witness(state)
    with Person(load_settings(), identity) as auditor:
        answer = auditor.ask(auditor.transparency.GetCheckpoint, pb.GetCheckpointRequest(make=True))
        said = [Verifier.parse(text) for text in answer.verifier_keys]
        _believe_at_first(keeper, [Verifier.parse(text) for text in log_key or ()] or said)

        def consistency(from_size: int, to_size: int) -> list[bytes]:
            request = pb.GetConsistencyProofRequest(from_size=from_size, to_size=to_size)
            return list(auditor.ask(auditor.transparency.GetConsistencyProof, request).hashes)

        seen = keeper.see(answer.checkpoint, said, consistency)
        verifier_key = witness_verifier(signer).verifier_key
        note = cosigned(seen, signer, datetime.now(UTC))
        auditor.ask(
            auditor.transparency.AddCosignature,
            pb.AddCosignatureRequest(checkpoint=note, verifier_key=verifier_key),
        )
    size, former = seen.checkpoint.size, seen.former
    grown = f"It only grew since {former:,}. " if former else "It is the first that you have seen. "
    plain = {"size": size, "former": former, "verifier_key": verifier_key}
    show.emit(as_json, plain, lambda: f"Cosigned: the log of {size:,} events. {grown}Kept in {state}.")


def _believe_at_first(keeper: Witness, verifiers: list[Verifier]) -> None:
    """The first time the log's own keys are believed, unless others were named."""
    if not keeper.verifiers:
        if not verifiers:
            raise NoteError("the log says no key that it signs with: name one with --log-key")
        keeper.believe(verifiers)
