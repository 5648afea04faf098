"""The command that asks foreign judges: one that does not run, or says nothing, is no judge that found nothing."""

import pytest

from tests.corpus.judged import jsonfeed, w3c


@pytest.mark.parametrize("judge", [jsonfeed, w3c])
@pytest.mark.parametrize("script", ["import no_such_module", "raise SystemExit(1)", "raise SystemExit(9)"])
def test_a_judge_that_says_nothing_of_a_document_is_a_failure(tmp_path, judge, script):
    program, document = tmp_path / "judge.py", tmp_path / "all.json"
    program.write_text(f"#!/usr/bin/env python3\n{script}\n")
    program.chmod(0o755)
    document.write_text("{}")
    with pytest.raises(RuntimeError, match=r"says nothing|exit code"):
        judge(program, [document])
