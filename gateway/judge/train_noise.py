"""Training texts as they arrive: misheard, mistyped, without punctuation, cut off, or at length.

Every variant is drawn from a generator seeded with the text itself, so that adding a text to the
corpus changes no other text's variants.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from gateway.judge.corpus import Example
from gateway.judge.passages import passages
from gateway.judge.terms import Settings
from normalizer.schema import Value
from normalizer.text import fold

#: Characters of one sound that speech recognition and pinyin input put for each other. Our own
#: choice of frequent ones; tones are often ignored, as in typing.
_SOUNDS = (
    "着找招照 火伙活 救就旧 护户互 车彻 烧少哨 烟严言 快块筷 来莱 人任认仁 在再载 他她它 的地得 "
    "了乐 是事市式 有又友 里理力 上尚伤 下夏吓 家加嘉 门们闷 水谁睡 气汽器 煤没媒 漏楼露 爆报抱暴 "
    "炸诈 倒到道 塌踏他 压鸭呀 困捆 电店点 梯体提 跳挑 楼搂 河和合 掉吊调 溺逆 血雪 流留刘 伤商 "
    "打大达 架驾价 刀到叨 砍看坎 杀沙傻 抢强枪 偷头投 贼则 孩还海 老劳 妈马吗 爸吧把 晕云运 "
    "吐土突 疼腾 痛通同 死四似 喘传穿 抖斗 醒行 药要 喝和 吃持迟 桥瞧敲 坐做作 走奏 不部步 "
    "见件间 叫较教 没美每 已以一 现线 正整证 请情清 派排 警井景 察查茶 消销肖 防房放 院远元 "
    "路录陆 号好浩 栋动东 单担 区去取 村存 山三闪 沟购够 井经 墙强 厂场长 机级积 工公共 "
    "司四思 员园原 受手守 重种中 生声升 心新信 脸连 手收 脚叫 头投 胸凶 呼乎 吸西息 "
    "那哪纳 这者 什神 么吗 怎正 都兜 一医 个各 说书 听停 想像向 知之只 道到"
)
_SAME = {
    character: [other for other in group if other != character]
    for group in _SOUNDS.split()
    for character in group
}
_MARKS = re.compile(r"[，。！？；：、,.!?;:…~“”\"'（）()\s]+")
_CLAUSES = re.compile(r"(?<=[，。！？；,.!?;])")
_OPENERS = ("喂你好", "喂", "那个", "你好", "哎你好我说一下", "喂喂", "嗯", "就是那个", "诶")
_FILLERS = ("就是", "那个", "嗯", "然后", "呃", "这个", "啊", "对", "就是说")
#: Characters of a letter that is put together of several on one subject.
_LETTER = 900
#: Characters above which the judge reads a text by passages, too.
_LONG = Settings().long
#: Variants that are put together of several texts, or a part of one.
PIECES = frozenset({"letter", "passage"})
#: Shorter texts are not cut: little would be left to judge by.
_CUT_FROM = 40


class Options(Value, frozen=True, kw_only=True):
    """How much noise is made."""

    swap: float = 0.03  #: share of characters that become another of the same sound
    filler: float = 0.12  #: chance of a filler between two clauses
    seed: int = 12345


class Telling(Value, frozen=True, kw_only=True):
    """An example's words in one variant, in the matching form."""

    words: str
    example: Example
    variant: str  #: as written, speech, typo, cut, letter or passage


def tellings(
    examples: Iterable[Example], part: Callable[[str], int], options: Options
) -> Iterator[Telling]:
    """Yield every example as written and in its variants.

    Letters are put together of one file's texts on one domain whose seeds lie in the same
    ``part``, so that cross-validation by these parts meets no text twice. A site's own lines that say nothing of an emergency come as they are written: they are many,
    and what is asked of them is a matter's domain and type.
    """
    examples = tuple(examples)
    alike: dict[tuple[object, ...], list[Example]] = {}
    for example in examples:
        if _ordinary(example):
            alike.setdefault(_subject(example, part), []).append(example)
    for example in examples:
        yield Telling(words=example.words, example=example, variant="written")
        if example.emergency is None and not example.unclear:
            continue
        chance = random.Random(f"{options.seed}:{example.words}")  # noqa: S311 - no secret
        same = alike.get(_subject(example, part), []) if _ordinary(example) else []
        for variant, words in _variants(example, same, chance, options):
            if words != example.words:
                yield Telling(words=words, example=example, variant=variant)


def _subject(example: Example, part: Callable[[str], int]) -> tuple[object, ...]:
    return example.file, example.domain, part(example.seed)


def _ordinary(example: Example) -> bool:
    return example.emergency is False and not example.reason and example.domain is not None


def _variants(
    example: Example, same: Sequence[Example], chance: random.Random, options: Options
) -> Iterator[tuple[str, str]]:
    words = example.words
    yield "speech", spoken(words, chance, options)
    yield "typo", swapped(words, chance, options.swap)
    if len(words) >= _CUT_FROM and not example.emergency:
        yield "cut", words[: round(len(words) * chance.uniform(0.5, 0.9))]
    if same:
        # Letters go on for pages; the seeds are short. Without these, length looks like distress.
        parts = [words, *(one.words for one in chance.choices(same, k=chance.randint(1, 5)))]
        chance.shuffle(parts)
        yield "letter", "。".join(parts)[:_LETTER]
    if len(words) > _LONG and _ordinary(example):
        # As the judge reads a long text: whatever stands in an ordinary letter is calm by itself.
        for start, end in passages(words):
            yield "passage", words[start:end]


def spoken(words: str, chance: random.Random, options: Options) -> str:
    """Return a text as speech recognition writes it: no marks, fillers, misheard characters."""
    parts = [_MARKS.sub("", clause) for clause in _CLAUSES.split(words)]
    said = [chance.choice(_OPENERS)] if chance.random() < 0.5 else []
    for part in parts:
        if said and chance.random() < options.filler:
            said.append(chance.choice(_FILLERS))
        said.append(part)
    return swapped("".join(said), chance, options.swap)


def swapped(words: str, chance: random.Random, share: float) -> str:
    """Return a text with some of its characters replaced by others of the same sound."""
    return fold(
        "".join(
            chance.choice(_SAME[letter]) if letter in _SAME and chance.random() < share else letter
            for letter in words
        )
    )
