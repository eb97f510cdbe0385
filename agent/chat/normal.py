"""A typed sentence in plain form: lower case, short forms in full, slips of the finger mended, its language known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from agent.core.display import inert

Language = Literal["en", "de"]

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "\u2019": "'", "`": "'", "\u00b4": "'"})
_SHORT_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon'?t\b", "will not"),
        (r"\b(do|does|did|is|are|was|were|would|could|should|have|has|had|must|need)n'?t\b", r"\1 not"),
        (r"\b(what|who|where|when|why|how|that|it|there|here)'s\b", r"\1 is"),
        (r"\b(what|who|where|how)s\b", r"\1 is"),
        (r"\b(i|you|we|they)'(?:ll)\b", r"\1 will"),
        (r"\b(you|we|they)'?re\b(?<!\bwere)", r"\1 are"),
        (r"\bi'?m\b", "i am"),
        (r"\b(i|you|we|they)'ve\b", r"\1 have"),
        (r"\b(i|you|we|they|he|she)'d\b", r"\1 would"),
        (r"\blets\b|\blet's\b", "let us"),
        (r"\bu\b", "you"),
        (r"\bur\b", "your"),
        (r"\br\b", "are"),
        (r"\b(?:pls|plz|plss|bitte|please|mal|halt|eigentlich|denn|just|really|actually)\b", " "),
        (r"\b(?:thx|thanx|tnx|ty|thanks|thankyou)\b", "thank you"),
        (r"\bcuz\b|\bcause\b(?= (?:you|i|it|we)\b)", "because"),
        (r"\bem\b", "them"),
        (r"\bteh\b", "the"),
        (r"\bwat\b", "what"),
        (r"\bdb\b", "database"),
        (r"\bgibt's\b|\bgibts\b", "gibt es"),
        (r"\bgeht's\b|\bgehts\b", "geht es"),
    )
)
_GERMAN = frozenset(
    """ich du er wir ihr mir mich dir dich uns euch wie warum wieso weshalb wer wen wem woran woher wohin wo wann
    welche welcher welches welchen der die das den dem ein eine einen einem einer und oder aber nicht kein keine
    nichts     noch schon mal bitte ist sind waren wird werden wurde wurden hast habe haben hat kannst kann koennen
    soll muss     darf lass zeig zeige schau pruef pruefe probier geht gibt mach machen mache auf aus bei mit nach
    seit von zu zum zur     fuer ueber im am stand hilfe danke hallo moin guten morgen tag ja nein genau dann wenn
    falls sonst jetzt heute     dienst befehl seite protokoll aehnliche faelle rueckgaengig freigeben freigegeben
    ausfuehren ablehnen begruende     vielen dank quelle alles andere anderen anderer deine dein ausgeschlossen
    gelaufen bitteschoen servus     fehlt passiert warte warten abwarten geprueft woher stammt wieder dringend eilig
    sofort steht letzten schritte     begruendung ursache andere anderes dafuer damit davon laesst statt stattdessen
    untersuche untersuchen zurueck""".split()
)
_ENGLISH = frozenset(
    """i you he we they me us what how why who whose where when which the a an and or but not no nothing still already
    please is are was were will would did do does have has had can could should must may let show look check try it
    this that these those of for from with about if then else now today there here help thanks thank hello hi good
    morning yes exactly to in on at by""".split()
)
_ALREADY_WORDS = frozenset(
    """above again allow also apart apply around away back base been best board body both call came card care case cent
    change clear close cold come cost daily data date dead deal dear desk does done door down each early east easy
    else     even ever every face fact fail fair fall fast feel fell felt file fill find fine fire firm five floor
    fold food foot     force form found four free full game gave give goes gold gone good grow half hand hard have
    head hear heat held here     high hold home hope host hour huge idea into item join jump keep kept kill kind king
    knew know lack lady laid lake     land last late lead leave left less life lift like line link list live load
    local lock long lose loss lost lots love     made mail main make many mark mass mean meet menu mind mine miss mode
    month more most move much must name near neck     need never news next nice night nine node none noon nose note
    ones only open order other over pace pack paid pain     pair park part pass past path peak pick place plan play
    point pool poor port post power press price print pull push     query quick quiet quite rate rather raise range
    read ready real rest rich ride right ring rise risk road role room     root rule runs safe said sale same save
    seat seem seen self sell send sense sent serve seven shall shape share sharp     shop short shot should shut sick
    side sign site size skip sleep slow small soft sold some soon sort space stay stick     stop story such sure table
    take talk task team tell tend term than that them then there these they thing think third     those three time
    tiny told took town trade tree trip true turn type unit until upon used user vary very view visit     want warm
    wash watch wave weak wear week well went west what wheel when where which while white whole whom wide wife
    wild will wind wine wing wire wise wish with wood word work world worse would year yard young your zero weather
    lage dies diese dieser dieses eine einen einer etwa gern habe haben hier immer kein keine kann lang mehr mein muss
    nach nein neue neuer nicht noch oben oder sein sehr sind soll statt viel vier vom vorher wann warm wegen weil
    weiter     wenig wenn werde wird wohl zeit zwei waere haette hatte hallo alle alles also andere anders auch ausser
    beim bitte     restart reset mailed step cat api app web url tls ssh vpn dns cpu ram pid log row key bug end run
    ran day way man men     box car job lot mom sun win won cut hot top tax war law art arm eye ear air age ago yet
    jeder jede later""".split()
)
"""Everyday words that stand one letter from a word of a pattern (`slow` and `show`) and are never mended into it."""


def folded(text: str) -> str:
    """Return `text` lower case, inert, with umlauts written out and every short form in full; punctuation kept."""
    text = unicodedata.normalize("NFKC", inert(text)).casefold().translate(_UMLAUTS)
    for pattern, full in _SHORT_FORMS:
        text = pattern.sub(full, text)
    return " ".join(text.split())


def plain_words(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a folded text, in order; a name with a hyphen stays one word."""
    return tuple(re.findall(r"[^\W_]+(?:[-.][^\W_]+)*", text))


def mended(words: Collection[str], known: frozenset[str]) -> str:
    """Return the words as one line, each mended into the one known word that is a slip of the finger away."""
    return " ".join(_mend(word, known) for word in words)


@lru_cache(maxsize=4096)
def _mend(word: str, known: frozenset[str]) -> str:
    once = re.sub(r"(.)\1+", r"\1", word)
    if word in known or f"{word}s" in known or word.removesuffix("s") in known or not word.isalpha():
        return word
    if len(word) < 3 or word in _ALREADY_WORDS or word in _GERMAN or word in _ENGLISH:
        return word
    if once in known:
        return once
    if len(word) == 3:
        return _mend_short(word, known)
    most = 1 if len(word) < 8 else 2
    near = [one for one in known if len(one) >= 4 and one[0] == word[0] and slip(word, one, most) <= most]
    return min(near, key=lambda one: (slip(word, one, most), sorted(one) != sorted(word), one)) if near else word


def _mend_short(word: str, known: frozenset[str]) -> str:
    """Mend a word of three letters: two of them swapped, or the fourth missing; where two words fit, neither."""
    fits = {one for one in known if len(one) in {3, 4} and one[0] == word[0] and slip(word, one, 1) == 1}
    fits = {one for one in fits if len(one) == 4 or sorted(one) == sorted(word)}
    return fits.pop() if len(fits) == 1 else word


@lru_cache(maxsize=8192)
def slip(one: str, other: str, most: int) -> int:
    """Return the edits between two words (insert, delete, replace, swap of neighbours), or `most` + 1 when more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        current = [i]
        for j, right in enumerate(other, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return min(row[-1], most + 1)


def language_of(text: str) -> Language:
    """Return `de` when more closed-list German words than English ones stand in `text`, else `en`."""
    lowered = unicodedata.normalize("NFKC", text).casefold()
    words = plain_words(lowered.translate(_UMLAUTS))
    german = sum(word in _GERMAN for word in words) + sum(letter in lowered for letter in "äöüß")
    return "de" if german > sum(word in _ENGLISH for word in words) else "en"
