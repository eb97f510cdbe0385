from dataclasses import dataclass
@dataclass(frozen=True)
class Answer:
    text: str
    cites: tuple = ()
    evidence: tuple = ()
    action: object = None
def answer(intent, story, now=""): return Answer(f"intent {intent.kind}", (1,))
def first_answer(story, now=""): return Answer(story.diagnosis.says, (1,))
def outcome_answer(story): return Answer(f"it is {story.state}")
def passages_answer(story, hits, text=""): return Answer("needs a model")
