"""What the faces service talks about: faces, templates, quality, liveness, comparisons. No I/O."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from borderpost.faces.errors import TemplateModelMismatchError
from borderpost.runtime.calibration import FalseMatchRate
from borderpost.runtime.errors import TemplateInvalidError

Chip: TypeAlias = npt.NDArray[np.uint8]
"""One upright, aligned face: side × side × 3, RGB."""

Chips: TypeAlias = npt.NDArray[np.uint8]
"""N chips: N × side × side × 3, RGB."""

Embeddings: TypeAlias = npt.NDArray[np.float32]
"""N × dimension, as the model gives them: not normalised."""

Vector: TypeAlias = npt.NDArray[np.float32]

Point: TypeAlias = tuple[float, float]
"""Pixels from the left and the top edge of the picture."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face's rectangle in pixels of its picture. It may reach beyond the picture's edges."""

    left: int
    top: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> Point:
        """Its middle."""
        return (self.left + self.width / 2, self.top + self.height / 2)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The five points: both eyes' corners and the nose base. Left and right are the picture's."""

    left_eye_outer: Point
    left_eye_inner: Point
    right_eye_inner: Point
    right_eye_outer: Point
    nose_base: Point
    five: tuple[Point, Point, Point, Point, Point] | None = None
    """What ArcFace's kind of model is aligned by, where the landmark model has them: the middles of the left and
    the right eye's lids, the nose tip, the left and the right mouth corner."""

    @property
    def left_eye(self) -> Point:
        """The middle between the corners of the eye on the picture's left."""
        return _middle(self.left_eye_outer, self.left_eye_inner)

    @property
    def right_eye(self) -> Point:
        """The middle between the corners of the eye on the picture's right."""
        return _middle(self.right_eye_inner, self.right_eye_outer)

    @property
    def inter_eye_distance(self) -> float:
        """Pixels between the two eyes' middles."""
        return math.dist(self.left_eye, self.right_eye)


@dataclass(frozen=True, slots=True)
class Face:
    """A found face and its points."""

    box: FaceBox
    landmarks: Landmarks


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Degrees from looking straight (ISO/IEC 39794-5). Positive: to the traveler's own left, down, onto the
    traveler's own right shoulder."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class EyesOpen:
    """How surely each eye is open, 0 to 1. Left and right are the picture's."""

    left: float
    right: float


MIN_SHARE_OF_LARGEST: Final = 0.5
"""A face of at least half the largest one's area can be the traveler's. The detector's boxes come in steps of
1.44 in area (dlib's pyramid shrinks by 5/6), so closer sizes can't be told apart anyway."""


def travelers_face(boxes: Sequence[FaceBox], picture_width: int, picture_height: int) -> FaceBox | None:
    """The traveler's face among several: among the large ones, the one nearest to the picture's middle."""
    if not boxes:
        return None
    large = max(box.area for box in boxes) * MIN_SHARE_OF_LARGEST
    middle = (picture_width / 2, picture_height / 2)
    return min((box for box in boxes if box.area >= large), key=lambda box: math.dist(box.centre, middle))


class ElementType(enum.Enum):
    """How a template's values are stored."""

    FLOAT32 = "float32"


class Normalisation(enum.Enum):
    """What was done to a template's values after the model."""

    L2 = "l2"


UNIT_NORM_TOLERANCE: Final = 1e-3
"""A template that went through float32, or through half floats, is still this near to length 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A face as numbers: `dimension` float32 values of length 1. Only the same model's can be compared."""

    model_id: str
    dimension: int
    element_type: ElementType
    normalisation: Normalisation
    values: Vector


def make_template(model_id: str, embedding: npt.NDArray[np.floating]) -> Template:
    """A template from one embedding as the model gave it. Raises TemplateInvalidError for a zero or a NaN."""
    values = embedding.astype(np.float64)
    length = float(np.linalg.norm(values))
    if not math.isfinite(length) or length == 0.0:
        raise TemplateInvalidError("template: the model gave no direction: take another picture")
    unit = (values / length).astype(np.float32)
    unit.flags.writeable = False
    return Template(model_id, len(unit), ElementType.FLOAT32, Normalisation.L2, unit)


def mean_template(templates: Sequence[Template]) -> Template:
    """The direction that templates of one model and one person have in common: their sum, at length 1.

    Raises TemplateInvalidError where they cancel each other out.
    """
    if len(templates) == 1:
        return templates[0]
    values = np.stack([template.values for template in templates])
    return make_template(templates[0].model_id, values.sum(axis=0, dtype=np.float64))


def check_template(template: Template, model_id: str, dimension: int, field: str) -> None:
    """Raise TemplateModelMismatchError or TemplateInvalidError unless it is a sound one of this model."""
    if template.model_id != model_id:
        raise TemplateModelMismatchError(
            f"{field}: comes from another model than {model_id}, which this service runs: extract it again "
            "from its picture",
            field=field,
            model_id=model_id,
        )
    values = template.values
    if template.dimension != dimension or values.shape != (dimension,):
        raise TemplateInvalidError(
            f"{field}: got {values.size} values, said to be {template.dimension}, want {dimension}",
            field=field,
        )
    if not np.isfinite(values).all():
        raise TemplateInvalidError(f"{field}: got values that are no finite numbers", field=field)
    length = float(np.linalg.norm(values.astype(np.float64)))
    if abs(length - 1.0) > UNIT_NORM_TOLERANCE:
        raise TemplateInvalidError(
            f"{field}: got values of length {length:.4g}, want length 1 (L2)", field=field
        )


def cosine(a: Template, b: Template) -> float:
    """The cosine of two checked templates, -1 to 1."""
    product = float(np.dot(a.values.astype(np.float64), b.values.astype(np.float64)))
    lengths = float(np.linalg.norm(a.values.astype(np.float64)) * np.linalg.norm(b.values.astype(np.float64)))
    return max(-1.0, min(1.0, product / lengths))


class Profile(enum.Enum):
    """What a picture is for; each has its own limits (`quality.LIMITS`)."""

    LIVE = "live"
    DOCUMENT_PORTRAIT = "document portrait"
    WATCHLIST_ENROLMENT = "watchlist enrolment"


class Status(enum.Enum):
    """What became of a check. Not performed is not passed."""

    PASSED = "passed"
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    NOT_PERFORMED = "not performed"


class Component(enum.Enum):
    """Quality components, named as ISO/IEC 29794-5:2025 names them."""

    SINGLE_FACE_PRESENT = "SingleFacePresent"
    INTER_EYE_DISTANCE = "InterEyeDistance"
    HEAD_SIZE = "HeadSize"
    LEFTWARD_CROP = "LeftwardCropOfTheFaceImage"
    RIGHTWARD_CROP = "RightwardCropOfTheFaceImage"
    MARGIN_ABOVE = "MarginAboveOfTheFaceImage"
    MARGIN_BELOW = "MarginBelowOfTheFaceImage"
    HEAD_POSE_YAW = "HeadPoseYaw"
    HEAD_POSE_PITCH = "HeadPosePitch"
    HEAD_POSE_ROLL = "HeadPoseRoll"
    EYES_OPEN = "EyesOpen"
    SHARPNESS = "Sharpness"
    COMPRESSION_ARTIFACTS = "CompressionArtifacts"
    UNDER_EXPOSURE_PREVENTION = "UnderExposurePrevention"
    OVER_EXPOSURE_PREVENTION = "OverExposurePrevention"
    ILLUMINATION_UNIFORMITY = "IlluminationUniformity"
    DYNAMIC_RANGE = "DynamicRange"
    UNIFIED_QUALITY_SCORE = "UnifiedQualityScore"


@dataclass(frozen=True, slots=True)
class QualityMeasure:
    """One component: its native value and unit, the 0 to 100 value (higher is better), and the outcome.

    `native` is None where nothing was measured; `value` is None where this service doesn't compute it as the
    standard does.
    """

    component: Component
    native: float | None
    unit: str
    value: int | None
    status: Status


class CaptureProblem(enum.Enum):
    """Why a picture isn't good enough. `messages.advice` says what the traveler can do."""

    NO_FACE = "NO_FACE"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    SEVERAL_FACES = "SEVERAL_FACES"
    TOO_BLURRED = "TOO_BLURRED"
    TOO_DARK = "TOO_DARK"
    TOO_BRIGHT = "TOO_BRIGHT"
    HEAD_TURNED = "HEAD_TURNED"
    HEAD_TILTED = "HEAD_TILTED"
    FACE_CUT_OFF = "FACE_CUT_OFF"
    FACE_TOO_LARGE = "FACE_TOO_LARGE"
    HEAD_RAISED_OR_LOWERED = "HEAD_RAISED_OR_LOWERED"
    EYES_CLOSED = "EYES_CLOSED"
    UNEVEN_LIGHT = "UNEVEN_LIGHT"
    LOW_CONTRAST = "LOW_CONTRAST"
    TOO_COMPRESSED = "TOO_COMPRESSED"
    PICTURE_UNREADABLE = "PICTURE_UNREADABLE"
    DIFFERENT_FACES = "DIFFERENT_FACES"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All components of one picture, and the problems that follow from the failed ones."""

    measures: tuple[QualityMeasure, ...]
    problems: tuple[CaptureProblem, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one picture shows; the picture itself is not kept.

    `boxes` are all faces found, `face` is the traveler's. `face` and `views` are None if and only if none was
    found; `pose` and `eyes` also where the engine has no model for them.
    """

    boxes: tuple[FaceBox, ...]
    face: Face | None
    pose: HeadPose | None
    eyes: EyesOpen | None
    views: Chips | None
    quality: QualityReport

    @property
    def box(self) -> FaceBox | None:
        """Where the traveler's face is."""
        return self.face.box if self.face is not None else None

    @property
    def other_boxes(self) -> tuple[FaceBox, ...]:
        """Where the other faces are."""
        return tuple(box for box in self.boxes if box != self.box)


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether a living person stood there: by which method and version, and why where it is not PASSED.

    `measured` tells whether the method's error rates (APCER, BPCER; ISO/IEC 30107-3) are known.
    """

    status: Status
    method: str | None
    version: str | None
    measured: bool = False
    reasons: tuple[str, ...] = ()


LIVENESS_NOT_PERFORMED: Final = Liveness(Status.NOT_PERFORMED, None, None)
"""What is said of pictures that came without a capture token: nothing was asked of the traveler."""


class CaptureAction(enum.Enum):
    """What a traveler is asked to do in a guided capture. Left and right are the traveler's own."""

    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    TURN_LEFT = "TURN_LEFT"
    TURN_RIGHT = "TURN_RIGHT"
    BLINK = "BLINK"
    MOVE_CLOSER = "MOVE_CLOSER"


class CaptureEnd(enum.Enum):
    """Why a guided capture ended; names as in faces.proto."""

    COMPLETE = "COMPLETE"
    BY_CALLER = "BY_CALLER"
    TIME = "TIME"
    FRAMES = "FRAMES"
    SILENCE = "SILENCE"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds that an extraction spent, over all its frames."""

    decode: float
    detect: float
    align: float
    assess: float
    embed: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """What the frames of one capture gave. `best_frame` is the index of the frame that the rest is about.

    The template is made of all of `fused_frames`. `best_frame`, `template` and `box` are None if and only if no
    frame has a face (NO_FACE is then the only problem). Other problems leave the template in place: whoever asked
    decides what to do with it.
    """

    profile: Profile
    model_id: str
    best_frame: int | None
    fused_frames: tuple[int, ...]
    template: Template | None
    box: FaceBox | None
    other_boxes: tuple[FaceBox, ...]
    quality: QualityReport
    liveness: Liveness
    milliseconds: StageTimes

    @property
    def faces_found(self) -> int:
        """How many faces the best frame shows."""
        return len(self.other_boxes) + (self.box is not None)


class Decision(enum.Enum):
    """Whether two faces match at the asked FMR. UNDETERMINED: the calibration can't support that rate, or there
    is no face."""

    MATCH = "match"
    NO_MATCH = "no match"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class FacePicture:
    """An encoded picture of a face, and what it is for."""

    data: bytes
    profile: Profile


Sample: TypeAlias = Template | FacePicture
"""One side of a comparison."""


@dataclass(frozen=True, slots=True)
class Score:
    """The cosine of two templates, and how often strangers reach it."""

    value: float
    fmr: FalseMatchRate


@dataclass(frozen=True, slots=True)
class Comparison:
    """A 1:1 comparison: the score, what it means, and the decision at the FMR that was asked for.

    `score` is None, and the decision UNDETERMINED, if a picture shows no face. `probe` and `reference` are what
    was seen in the pictures; None for a side that came as a template.
    """

    model_id: str
    score: Score | None
    fmr_target: float
    threshold: float
    decision: Decision
    calibration_id: str
    probe: Look | None
    reference: Look | None


def _middle(a: Point, b: Point) -> Point:
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
