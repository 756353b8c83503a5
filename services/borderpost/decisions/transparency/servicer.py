"""TransparencyService on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.decisions.transparency import validate
from borderpost.decisions.transparency.app import Transparency
from borderpost.runtime.calls import current
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import transparency_pb2 as pb
from borderpost.v1.transparency_pb2_grpc import TransparencyServiceServicer


class TransparencyServicer(TransparencyServiceServicer):
    """See protos/borderpost/v1/transparency.proto."""

    def __init__(self, transparency: Transparency, pool: WorkPool) -> None:
        self._transparency = transparency
        self._pool = pool

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        """Get a checkpoint."""
        validate.get_checkpoint(request)
        if request.make:
            note = await self._pool.run(self._transparency.make)
        else:
            note = await self._pool.run(self._transparency.checkpoint, request.size)
        return pb.GetCheckpointResponse(checkpoint=note, verifier_keys=self._transparency.verifier_keys)

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Any
    ) -> pb.GetInclusionProofResponse:
        """Prove that an event is in a tree."""
        validate.inclusion(request)
        leaf, hashes = await self._pool.run(self._transparency.prove, request.index, request.size)
        return pb.GetInclusionProofResponse(leaf_sha256=leaf, hashes=hashes)

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Any
    ) -> pb.GetConsistencyProofResponse:
        """Prove that one tree is the beginning of another."""
        validate.consistency(request)
        hashes = await self._pool.run(self._transparency.consistency, request.from_size, request.to_size)
        return pb.GetConsistencyProofResponse(hashes=hashes)

    async def AddCosignature(
        self, request: pb.AddCosignatureRequest, context: Any
    ) -> pb.AddCosignatureResponse:
        """Take a witness's cosignature."""
        validate.cosignature(request)
        await self._pool.run(
            self._transparency.add_cosignature, request.checkpoint, request.verifier_key, current()
        )
        return pb.AddCosignatureResponse()
