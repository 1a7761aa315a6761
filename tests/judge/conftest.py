"""A handful of seeds, and lines of a site's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SEEDS = """\
- seed: fire-1
  kind: fire
  services: ["119", "120"]
  says:
    plain: 厨房着火了，火苗蹿到了房顶，我妈还在里面
    speech: 喂那个我家着火了你们快来我妈还在里头
  twins:
    past: 去年厨房着过火，想查当时的出警记录
    question: [请问厨房着火先断电还是先断气, 家里着火保险怎么赔]
- seed: fire-2
  kind: fire
  services: ["119"]
  says: {plain: 阳台上着火了快派消防车来, short: 着火了快来}
  twins: {complaint: 烧烤店天天冒烟，投诉了没有人管, figurative: 今年生意火得不得了}
- seed: crash-1
  kind: traffic
  services: ["122"]
  says: {plain: 国道上两辆车撞了，人卡在车里出不来，快派人来}
  twins: {past: 上个月两辆车撞了，事故认定书怎么还没出}
- seed: passive-1
  kind: suicide
  unclear: true
  says: {plain: 活着有什么意思呢}
- seed: ord-housing-1
  domain: housing
  type: complaint
  title: 投诉物业
  says: {plain: 小区电梯坏了半个月没有人修，物业不理}
- seed: ord-housing-2
  domain: housing
  type: consultation
  says: {plain: 请问小区物业费的标准是怎么定的}
- seed: ord-labour-1
  domain: labour
  type: complaint
  says: {plain: 工资拖欠了三个月，老板电话不接}
- seed: ord-labour-2
  domain: labour
  type: consultation
  says: {plain: 请问养老保险断交了工资怎么算}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file of seeds."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "small.yaml").write_text(SEEDS, encoding="utf-8")
    return tmp_path / "seeds"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows to a JSONL file; a string is written as it is."""

    def write(*rows: dict[str, Any] | str, name: str = "site.jsonl") -> Path:
        path = tmp_path / name
        told = [
            row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows
        ]
        path.write_text("\n".join(told) + "\n", encoding="utf-8")
        return path

    return write
