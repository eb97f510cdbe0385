"""What each intent looks like in words: patterns over a mended, lower-case line without punctuation or umlauts.

Order decides: the first kind that matches wins, so what is narrow stands before what is wide. A pattern that ends in
`$` and begins with `^` speaks of the whole line.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a person wants to know of an incident. The list is closed."""

    WHY = "why"
    WHAT_ELSE_CHECKED = "what_else_checked"
    OTHER_SERVICE = "other_service"
    LOG_LINES = "log_lines"
    WHAT_IF_WAIT = "what_if_wait"
    WHAT_WOULD_CHANGE = "what_would_change"
    UNDO = "undo"
    WHO_MAY_APPROVE = "who_may_approve"
    STATUS = "status"
    WHAT_IS_MISSING = "what_is_missing"
    SIMILAR_TICKETS = "similar_tickets"
    HOW_BY_HAND = "how_by_hand"
    SOURCES = "sources"
    EVIDENCE_FOR = "evidence_for"
    HELP = "help"
    THANKS = "thanks"
    GREETING = "greeting"
    APPROVE_BY_TEXT = "approve_by_text"


_THING = (
    r"(?:it|this|that|them|these|(?:the|this|that|your) (?:\w+ )?(?:fix|action|proposal|suggestion|card|change|"
    r"restart|plan|thing)|das|es|den (?:fix|vorschlag)|die (?:aenderung|karte|aktion)|vorschlag)"
)
_YES = (
    r"(?:(?:yes|yep|yeah|yup|ok|okay|k|sure|fine|alright|right|ja|jo|gut|na gut|great|then|so|and|i say|now|bitte|"
    r"i agree|agreed|einverstanden|no|nope|nein|do not|never) )*"
)
_LOOK = (
    r"(?:check\w*|look\w*|tr(?:y|ied)|investigat\w*|examin\w*|inspect\w*|test\w*|diagnos(?:e|ed|ing)|analy[sz]\w*|"
    r"prob(?:e|ed)|"
    r"verif\w+|measur\w*|scan\w*|debug\w*|query|queried|monitor\w*)"
)
_SCHAU = (
    r"(?:schau\w*|guck\w*|pruef\w*|geprueft|ueberpruef\w*|untersuch\w*|probier\w*|versuch\w*|nimm|teste?n?|check\w*|"
    r"kontrollier\w*|analysier\w*|angeschaut|angesehen|angeguckt|getestet|gecheckt|gemessen|anschau\w*|ansehen)"
)
_OTHER = (
    r"(?:(?:other|another|next|different|second|remaining) (?:\w+ )?(?:services?|ones?|systems?|components?|hosts?|"
    r"servers?|app|backend|database)|(?:other|another) one|the others?|one of the others|"
    r"(?:anderen?|anderes|naechsten?|zweiten?) (?:\w+ )?(?:dienst\w*|services?|system\w*|server\w*|komponenten?))"
)
_LOGS = (
    r"(?:logs?(?! (?:in|on|out|off|into)\b(?! (?:full|raw|the|here)))|log ?(?:lines?|files?|entr\w+|messages?|output|"
    r"excerpt)|logging|logged|journal|journalctl|stack ?traces?|tracebacks?|stdout|stderr|syslog|geloggt|protokoll\w*|"
    r"logeintr\w*|logzeilen?|logdatei\w*|logausgabe\w*|logmeldung\w*)"
)

PATTERNS: tuple[tuple[Kind, str], ...] = (
    (Kind.WHY, r"^(?:and |but |so |ok )*(?:why|warum|wieso) (?:not|nicht)(?: \w+){1,3}$(?<!approve)(?<!myself)"),
    (
        Kind.WHAT_WOULD_CHANGE,
        r"\bwhat (?:exactly )?you (?:will|would|are going to|want to|plan to) (?:run|do|change|execute)\b",
    ),
    # a decision that somebody typed: the whole line says nothing else
    (
        Kind.APPROVE_BY_TEXT,
        rf"^{_YES}(?:i |we |you can |you may |can you |could you |would you |ich |hiermit )*"
        rf"(?:approved?|confirm(?:ed)?|accept(?:ed)?|authori[sz]ed?|reject(?:ed)?|declined?|den(?:y|ied)|run|execute|"
        rf"apply|launch|do|start|restart|perform|trigger|genehmigt?|genehmige|freigegeben|freigeben|bestaetigt?|"
        rf"abgelehnt|"
        rf"ablehnen|lehne|ausfuehren|fuehr\w*|mach\w*|starte?)"
        rf"(?: (?:with )?{_THING})?(?: (?:now|then|for me|right away|immediately|already|jetzt|frei|ab|aus|so|weiter|"
        rf"los))*$",
    ),
    (
        Kind.APPROVE_BY_TEXT,
        rf"^{_YES}(?:y|j|yes|ja|yep|yeah|jawohl|go|go go|go (?:ahead|for it|on)(?: (?:and|with) .*)?|proceed(?: .*)?|"
        rf"lgtm.*|ship it|make it (?:so|happen)|let us (?:go|do (?:it|this)|run it)|passt mach.*|leg los|"
        rf"do the (?:fix|restart|change)|(?:i|you have) (?:my )?(?:approval|permission|consent|ok|blessing)|"
        rf"(?:approval|permission) (?:is )?granted|you have my (?:approval|permission|ok|go)|green light)$",
    ),
    (
        Kind.EVIDENCE_FOR,
        r"\be\d{1,3}\b",
    ),
    (
        Kind.EVIDENCE_FOR,
        r"^(?:and )?(?:(?:can|could|may|let) (?:i |you |me )?)?(?:show|see|list|display|zeig\w*|give|open)(?: (?:me|"
        r"us|mir|"
        r"uns))?(?: (?:the|your|all|any|die|den|deine|alle|raw|full|some))* (?:evidence|proofs?|measurements?|"
        r"observations?|facts|beweise?|belege?|messwerte|beobachtungen)\b",
    ),
    (
        Kind.WHO_MAY_APPROVE,
        r"\b(?:who|whose|whom|wer|wen|wessen)\b.*\b(?:can|may|could|should|must|has|have|need\w*|allowed|supposed|"
        r"able|is|are|darf|kann|muss|soll|duerfen|koennen|do|whose)\b.*(?:approv|sign(?:s|ed|ing)? (?:\w+ )?off|"
        r"countersign|authori[sz]|permission|decid|confirm|freigeb|freigab|genehmig|zustimm|entscheid|release|say yes)",
    ),
    (Kind.WHO_MAY_APPROVE, r"\b(?:whose|wessen) (?:approval|permission|sign|ok|zustimmung|freigabe|genehmigung)"),
    (
        Kind.WHO_MAY_APPROVE,
        r"\b(?:am i|may i|can i|could i|why (?:can|may|am|could) (?:i not|not i)|i can not|i am not|darf ich|"
        r"kann ich|warum (?:darf|kann) "
        r"ich|do i have|which (?:people|person|role)|somebody else|someone else)\b.*(?:approv|allowed|entitled|decid|"
        r"authori[sz]|freigeb|genehmig|zustimm|rights\b|the right\b|permission)",
    ),
    (
        Kind.WHO_MAY_APPROVE,
        r"^(?:the |all |show |list |me |of |who |are |name |possible |which |what |is |an )*approvers?$|\bfour eyes\b|"
        r"\bvier augen\b|\bsecond (?:person|pair of eyes|approv\w+)|^(?:can|may|could|should|darf|kann) \w+(?: \w+)? "
        r"(?:approve|decide|sign|freigeben|genehmigen|zustimmen)\b|\bapprove button\b",
    ),
    (
        Kind.STATUS,
        r"\b(?:has|have|did|was|who|is|hat|wurde|wer hat)\b.*(?:\bapproved\b|\brejected\b|\bdeclined\b|\bfreigegeben\b|"
        r"\bgenehmigt\b|\bzugestimmt\b|\bdecided\b|\babgelehnt\b)",
    ),
    (
        Kind.UNDO,
        r"\b(?:undo|undone|undoing|revert\w*|reversib\w*|irreversib\w*|reversed|reverse (?:it|this|that|the (?:fix|"
        r"change))|roll(?:ed|ing|s)? ?(?:\w+ ){0,3}back|"
        r"rollback|back ?out|rueckgaengig|zurueck ?roll\w*|zurueckgeroll\w*|zurueck ?nehm\w*|zurueckgenommen|"
        r"zurueck ?setz\w*|zuruecksetzen|umkehrbar|(?:take|took|put|get|go|turn)\b.{0,20} back (?:again|to (?:how|"
        r"what|the|"
        r"where|normal))|the (?:old|previous|former|prior) (?:state|config\w*|version)|(?:state|"
        r"way) (?:it was )?before)\b",
    ),
    (
        Kind.HOW_BY_HAND,
        r"\b(?:by hand|manual\w*|(?:do|fix|solve|repair|run|resolve|handle|mend)\b.{0,20}\b(?:myself|ourselves|"
        r"on my own)|"
        r"step by step|von hand|haendisch|eigenhaendig|schritt fuer schritt|selbst (?:machen|beheben|reparieren|"
        r"loesen)|"
        r"selber (?:machen|beheben|reparieren|loesen)|without (?:you|the card|countersign|the assistant))\b",
    ),
    (
        Kind.HOW_BY_HAND,
        r"^(?:was|wie|welche)\b.*\bmanuell\b|\b(?:on|at|in) the (?:console|shell|command line|terminal)\b|"
        r"\bcommands? .*\b(?:i|we) (?:have to|need to|must|should|type|enter)\b",
    ),
    (
        Kind.HOW_BY_HAND,
        r"^(?:and |so |ok )?(?:what|which|give|list|show|tell)\b.*\b(?:steps|instructions|procedure)\b|"
        r"^(?:the )?(?:steps|instructions|anleitung)$|\bwelche schritte\b|\banleitung\b",
    ),
    (
        Kind.HOW_BY_HAND,
        r"\bhow (?:do|can|would|could|should|to|does)\b(?: (?:i|we|you|one|a|an|the|human|someone|somebody|person|"
        r"engineer|"
        r"admin))* (?:fix|solve|repair|mend|resolve|do|remedy|correct)(?: (?:it|this|that|the (?:problem|issue|fault|"
        r"incident|thing)))?(?: (?:now|here|then))?$|\bwie (?:behebe|loese|repariere|mache) ich (?:das|"
        r"es)\b(?!.*rueck)",
    ),
    (
        Kind.WHAT_IS_MISSING,
        r"\b(?:open questions?|offene fragen?|(?:where|what) are you not (?:sure|certain)|is not known)\b",
    ),
    (
        Kind.WHAT_IS_MISSING,
        r"\b(?:checks?|tests?|measurements?)(?: that| which)? (?:failed|fail|did not|could not|were not|went wrong)|"
        r"\bnot be (?:measured|checked|tested|seen|read|reached|determined|verified)\b|\bguess(?:ing|es|work)\b",
    ),
    (
        Kind.WHAT_IS_MISSING,
        r"\b(?:missing|blind spots?|blindspots?|gaps?|unknowns?|unsure|uncertain|unclear|doubts?|do you not know|"
        r"(?:could|can|did|do|were|were you|was) (?:you )?not (?:\w+ )?(?:know|see|check|look|reach|tell|measure|test|"
        r"access|read|verify|find|able)|(?:you|it) (?:could|can|did|do) not (?:know|see|check|look|reach|tell|measure|"
        r"test|access|read|verify|find|be)|not (?:sure|certain) about|fehlt|fehlen|unklar|unsicher|ungewiss|"
        r"weisst du nicht|nicht (?:weisst|gewusst|pruefen|sehen|messen|wissen|gesehen|geprueft|bekannt)|"
        r"(?:information|info|details|data|facts) (?:would|do|could|are|is) (?:\w+ ){0,3}(?:help|need|missing|lack)|"
        r"(?:would|do|could) you (?:still )?(?:need|require) to know)\b",
    ),
    (
        Kind.WHAT_IF_WAIT,
        r"\b(?:do|does|must|should|muss|need)\b.*\b(?:act|react|hurry|rush|handeln|reagieren|beeilen|be (?:fixed|"
        r"done))\b.*"
        r"\b(?:now|tonight|today|immediately|fast|quickly|jetzt|heute|schnell)$|\bmuss ich (?:jetzt |"
        r"sofort )?(?:handeln|reagieren)|"
        r"\bnothing (?:is|gets|was) done\b|\btake (?:my|our) time\b|\btime (?:runs|is) (?:out|up)\b|\b(?:a hurry|"
        r"hast es eile)\b",
    ),
    (
        Kind.WHAT_IF_WAIT,
        r"\b(?:what|was) (?:\w+ ){0,3}(?:if|when|wenn)(?: \w+)? (?:nobody|no one|noone|none|niemand|keiner)\b|"
        r"\b(?:emergency|notfall)\b|\b(?:how soon|how quickly|how fast|wie schnell) (?:do|does|must|should|have|"
        r"muss)\b|"
        r"\b(?:in|by|from|while|is|of) waiting\b|\b(?:take|need|have|has|got)\b.*\b(?:to decide|time (?:till|until|"
        r"left))\b",
    ),
    (
        Kind.WHAT_IF_WAIT,
        r"\b(?:if|when|wenn|falls|und wenn|suppose|supposing)\b(?: (?:i|we|you|one|nobody|no one|noone|ich|wir|man|"
        r"keiner|"
        r"niemand|it|this|that|es|das|to|is|gets?|he|she|they|would|decides?))* "
        r"(?:wait\w*|ignor\w*|leave\w*|left|do nothing|does nothing|did nothing|do not\b.*|does not (?:act|do|fix|"
        r"decide|"
        r"approve)\w*|did not\b.*|never\b.*|sleep|postpone\w*|delay\w*|hold off|sit (?:on|it)|let it\b.*|stay\w*|"
        r"acts?$|approves? nothing|approves?$(?<=one approves)|take no action|warte\w*|abwarte\w*|ignorier\w*|nicht\w*|"
        r"liegen|lasse\w*|laesst|reagier\w*|touch(?:es)? (?:it|this|nothing)|skip\w*|stall\w*)",
    ),
    (
        Kind.WHAT_IF_WAIT,
        r"\b(?:can|could|may|should|must|does|is|do|will|would|kann|koennte|muss|soll|ok|okay|fine|safe|darf|reicht|"
        r"hat)\b.*"
        r"\b(?:wait(?:ing)?(?: (?:until|till|for|a|an|with|\d).*)?$|until (?:tomorrow|morning|monday|after|the|later|"
        r"noon|"
        r"next|\d).*|till (?:tomorrow|morning|monday|after|the|later|noon|next|\d).*|bis (?:morgen|montag|nachher|"
        r"spaeter|"
        r"zum|zur|heute|naechste).*|warten|liegen ?bleiben|zeit bis|postpone\w*|put \w+ off|defer\w*|hold off|"
        r"aufschieben|verschieben|sofort|gleich sein)",
    ),
    (
        Kind.WHAT_IF_WAIT,
        r"\b(?:urgent|urgency|urgently|how (?:pressing|critical|severe|serious|bad)|time ?critical|dringend|"
        r"dringlich\w*|"
        r"eilig|eilt|wie (?:schlimm|kritisch|ernst)|(?:get|gets|getting|become|becomes|becoming|grow|"
        r"going) (?:\w+ )?worse|"
        r"worsen\w*|escalate by|schlimmer|von (?:selbst|allein\w*|selber)|(?:heal|recover|resolve|fix|mend|repair|sort|"
        r"clear|go away|goes away|come back|solve)\w*\b.{0,20}(?:by itself|on its own|itself|by its own|alone|without)|"
        r"how (?:long|much time) (?:do|can|have|could|may|is) (?:i|we|it|there)\b|how (?:long|much) .*(?:wait|left)\b|"
        r"wie lange (?:kann|koennen|habe|haben|darf|hat)|wie viel zeit|not acting|inaction|doing nothing|do nothing|"
        r"(?:consequence|risk|cost|danger|downside|impact|effect)s? (?:of|if|when) (?:\w+ )?(?:wait\w*|postpon\w*|"
        r"delay\w*|"
        r"not|ignor\w*|leav\w*|doing nothing)|back to (?:bed|sleep)|go (?:to sleep|to bed|home)|leave (?:it|this|that) "
        r"(?:be|alone|for|until|till|overnight|like|as|over)|deal with (?:it|this) (?:later|tomorrow|in the)|"
        r"nichts (?:mache|tue|tun|machen|unternehme\w*)|abwarten|ignoriere|expir\w+|laeuft .* ab|deadline)\b",
    ),
    (
        Kind.WHAT_WOULD_CHANGE,
        r"\b(?:diff|dry ?run|rehears\w+|probelauf|side ?effects?|nebenwirkung\w*|auswirkung\w*|downtime|exact (?:\w+ )?"
        r"(?:commands?|action|change|effect|call|parameters?)|welche[rn]? befehl\w*|(?:the|which|what|exact|see|show) "
        r"(?:exact )?commands?(?! (?:do you|can i|you|are there))|blast radius|ausfallzeit)\b",
    ),
    (
        Kind.WHAT_WOULD_CHANGE,
        r"\b(?:what|which|anything|does|will|would|how)\b.*\b(?:will|would|does|do|is|gets?|going|are|it|this|fix|"
        r"the|exactly)\b.*"
        r"\b(?:changed?|changes|modif\w+|touch(?:ed|es)?|affect\w*|execut\w+|be run|you run|it run|will run|gets run|"
        r"alter\w*|"
        r"overwrit\w+|impact (?:of|does))\b",
    ),
    (
        Kind.WHAT_WOULD_CHANGE,
        r"\b(?:what|was)\b.*\b(?:happens?|passiert|happen|geschieht)\b.*\b(?:approv\w*|accept|confirm|press|click|"
        r"agree|say yes|"
        r"run (?:it|this|the)|zustimm\w*|freigeb\w*|freigebe|genehmig\w*|klick\w*|druecke)\b|"
        r"\bwhat (?:does|would|will|is|exactly does) (?:the|this|that|your) (?:\w+ )?(?:fix|action|proposal|"
        r"suggestion|card|"
        r"change|plan)\b|^(?:and )?what (?:will|would|does) (?:it|that|this) (?:\w+ )?do(?: exactly)?$|"
        r"\bwas\b.*\b(?:geaendert|aendert|aendern|veraendert|ausgefuehrt|veraendern|gemacht wird)\b|\bwas (?:macht|"
        r"bewirkt|tut) "
        r"(?:der|die|das|es)\b",
    ),
    (
        Kind.WHAT_WOULD_CHANGE,
        r"\b(?:what|which|was|welche\w*)\b.*\b(?:effects?|impact|consequences|folgen|wirkung)\b",
    ),
    (
        Kind.STATUS,
        r"^(?:so |and |ok |also |hey )*(?:(?:what|wie) (?:is|ist) )?(?:(?:the|der|your|current|"
        r"aktuelle\w*) )*(?:status|state|"
        r"progress|stand|update|updates|news|zustand|outcome|result|ergebnis)(?: (?:of|on|now|der|des|right|please|"
        r"here|"
        r"today|report).*)?$",
    ),
    (
        Kind.STATUS,
        r"\b(?:where (?:are|do) we(?: stand| now| at)?\b|any (?:news|updates?|progress)|what is (?:the )?(?:latest|"
        r"current)|"
        r"wie ist der stand|wie sieht es aus|how (?:far|is it going|are we doing|is it looking|does it look)|"
        r"(?:did|has) (?:it|that|this|the (?:fix|restart|change|action))(?: \w+)? (?:work\w*|help\w*|run|succeed\w*|"
        r"finish\w*|fail\w*|complete\w*|go (?:through|well|ok)|gone|executed?)|"
        r"(?:is|are) (?:it|this|that|we|everything|the (?:fix|service|problem|issue|incident|"
        r"site))(?: \w+)? (?:fixed|done|"
        r"over|solved|resolved|back|up|working|verified|finished|through|ok again|fine|good|ok|well|running|closed)\b|"
        r"was (?:it|this|the fix) (?:\w+ )?(?:run|executed|verified|applied)|"
        r"(?:laeuft|geht|funktioniert|tut) (?:es|das|der|alles|sie)\b.*(?:wieder|jetzt|schon)|"
        r"(?:ist|hat) (?:es|das|der fix|alles|die\w*) (?:\w+ )?(?:fertig|erledigt|behoben|geklappt|durch|geholfen|"
        r"geloest|"
        r"wieder|funktioniert|gelaufen|ok)|schon (?:fertig|erledigt|behoben|durch)|still (?:waiting|running|pending|"
        r"open))\b",
    ),
    (
        Kind.LOG_LINES,
        rf"^(?:and |the |any |more |raw |full |all |some |die |das |letzte\w* )*{_LOGS}(?: (?:please|output|lines?|"
        rf"again|now|from .*|"
        rf"of .*|for .*|von .*|vom .*))?$",
    ),
    (
        Kind.LOG_LINES,
        r"\b(?:show|see|sees?|what|which|any|anything|paste|give|gimme|tail|print|quote|display|dump|read|where|cat|"
        r"grep|"
        r"look|have|get|list|share|view|need|post|send me|output|find|zeig\w*|was|welche|kann|steht|gib|hast|sehen|"
        rf"letzten?|siehst|lies|schick)\b.*\b{_LOGS}\b",
    ),
    (
        Kind.LOG_LINES,
        r"\bwhat (?:did|does|has|had|was|is) (?:it|the (?:service|app|server|process|api|database))\b.*\b(?:print\w*|"
        r"complain\w*|wrot?e|written|write|output|spit\w*|emit\w*)\b|"
        r"\b(?:show|see|which|what|any|exact|zeig\w*|welche|genaue?)\b.*\b(?:error messages?|error text|error lines?|"
        r"exceptions?|fehlermeldung\w*|fehlertext)\b(?!.*\b(?:mean|when|users?)\b)",
    ),
    (
        Kind.SIMILAR_TICKETS,
        r"\b(?:similar|resembl\w+|aehnlich\w*|recurr\w+|wiederkehrend\w*|related (?:tickets?|incidents?|cases?|"
        r"problems?|"
        r"issues?)|(?:previous|earlier|past|older|old|prior|frueher\w*) (?:\w+ )?(?:tickets?|incidents?|cases?|"
        r"occurrences?|"
        r"faelle|vorfaelle|stoerung\w*)|last time|letztes mal|beim letzten mal|schon (?:ein)?mal|schon oefter|"
        r"schon frueher|"
        r"known (?:\w+ )?(?:problem|issue|error|bug|fault)|bekannte?s? (?:problem|fehler)|"
        r"gibt? es das schon|gab es das|(?:seen|happen\w*|had|occur\w*|been|encounter\w*|have|met|face\w*|come up|"
        r"came up)\b.*\b(?:before|past|earlier|"
        r"previously|other times?|more than once)|first time|(?:erste|ersten) mal|how often|wie oft|"
        r"(?:history|vorgeschichte) (?:of|on|for|von|zu))\b",
    ),
    (
        Kind.SOURCES,
        r"\b(?:source|quelle|page|seite) (?:no |number |nr )?\d{1,2}\b",
    ),
    (
        Kind.SOURCES,
        r"^(?:and )?(?:the |your |die |deine )?(?:sources?|references?|citations?|quellen?|runbooks?|docs|link|links)$|"
        r"\b(?:what|which|where|show|see|open|link|give|cite|read|quote|your|zeig\w*|woher|welche[rsn]?|was|wo|"
        r"oeffne|nenn\w*|"
        r"tell|is there|there an?|have|got|from)\b.*\b(?:sources?|runbooks?|(?:the|that|this|wiki|which|whole|what|"
        r"your) pages?|"
        r"documented|documentation|docs|wiki(?:page)?|articles?|references?|citations?|knowledge base|kb|quellen?|"
        r"(?:die|der|welche|welcher|diese) seite|dokumentation|dokumentiert|doku|handbuch|runbook|playbooks?)\b",
    ),
    (Kind.SOURCES, r"\bwoher (?:hast|stammt|kommt|weisst)\b|\bwhere did you (?:read|find|get|learn)\b"),
    (Kind.WHAT_ELSE_CHECKED, r"\b(?:was|hast|gab)\b.*\bsonst\b.*\b(?:gefunden|gesehen|auffaellig\w*|gemacht)\b"),
    (Kind.WHAT_ELSE_CHECKED, rf"\b(?:did|have|had) you(?: \w+){{0,2}} {_LOOK}\b"),
    (
        Kind.OTHER_SERVICE,
        rf"^(?:and |or |but |no |hm |maybe |then |ok |so )*(?:(?:can|could|would|will|should) (?:you|we) (?:also )?|"
        rf"let us |"
        rf"i (?:would like|want) (?:you )?to |go |now )*(?:{_LOOK}|{_SCHAU}|have a look|take a look|do|use|take|"
        rf"switch|move|"
        rf"go|continue|jump|change|proceed|start|repeat|run)\b.*\b(?:{_OTHER}|something else)",
    ),
    (
        Kind.OTHER_SERVICE,
        rf"\b(?:what|how) about\b.*\b{_OTHER}|\b{_OTHER}(?: (?:instead|then|please|now|statt\w*|first))*$|"
        rf"\bwrong (?:service|one|"
        rf"system|server)|falsche[rn]? (?:dienst|service|server)|\bnot (?:this|that) one\b|"
        rf"^(?:no |go |and |ok |then |please )*(?:{_LOOK}|{_SCHAU})\b.*\b(?:instead|rather|stattdessen)$|"
        rf"\b(?:kannst|koenntest|sollten?|schau\w*|pruef\w*|probier\w*|versuch\w*|nimm|untersuch\w*)\b.*\b{_OTHER}|"
        rf"\b{_OTHER}.*\b(?:look (?:there|at|into)|have a look|take a look|check (?:it|that|there)|instead)\b",
    ),
    (
        Kind.WHAT_ELSE_CHECKED,
        rf"\b(?:did|have|had|has) (?:you|it|the assistant|anyone|we|anybody)(?: \w+){{0,2}} {_LOOK}|"
        rf"\b(?:what|which|anything|something|everything|list|all|any|that|what other|more|else|only)\b.*\b(?:you|"
        rf"been|was|were|"
        rf"have|has|did|it|ran|run|got|your|all|the)\b.*\b(?:{_LOOK}|exclud\w*|rul(?:e|ed) out|eliminat\w*|"
        rf"diagnostics)\b(?! "
        rf"(?:instead|next|now))|\b(?:all|which|other|more|further|show|list|what|any|"
        rf"the)\b(?: \w+){{0,3}} (?:checks|diagnostics|tests|probes)\b|"
        rf"\b(?:you|been|was|were|got) (?:\w+ )?(?:exclud\w*|rul(?:e|ed) out|eliminat\w*)|\bwhat else\b$",
    ),
    (
        Kind.WHAT_ELSE_CHECKED,
        r"\b(?:was|welche\w*|hast|alles|noch|sonst|wurde|wurden|habt|ist|sind|alle)\b.*\b(?:geprueft|ueberprueft|"
        r"angeschaut|angesehen|"
        r"angeguckt|untersucht|getestet|gecheckt|checks|ausgeschlossen|kontrolliert|gemessen|diagnosen|pruefungen|"
        r"tests|"
        r"analysiert|betrachtet)\b",
    ),
    (
        Kind.WHY,
        r"^(?:(?:but|and|so|hm+|ok|well|aber|und|ja|na|eh|um|no|sorry) )*(?:(?:show|tell) me )?(?:why|warum|wieso|"
        r"weshalb|wozu)(?: (?:so|one|it|though|not|that|this|"
        r"is that|is this|exactly|genau|das|nicht|is it so|ist das so|hm)){0,2}$",
    ),
    (
        Kind.WHY,
        r"\b(?:why|warum|wieso|weshalb)\b.*\b(?:you|think|believe|suggest\w*|propos\w*|recommend\w*|cause|diagnosis|"
        r"conclu\w*|"
        r"fix|restart|help|card|action|du|glaubst|meinst|denkst|schlaegst|gerade|ausgerechnet|vorschlag\w*|neustart|"
        r"hilft|helfen)\b",
    ),
    (
        Kind.WHY,
        r"\bhow (?:do|can|did|could|would|come|are|have) (?:you)\b(?: \w+){0,2} (?:know|tell|come|came|conclude\w*|"
        r"figured?|get|"
        r"got|arrived?|decided?|sure|certain|think|find|found|work(?:ed)? (?:that|this|it) out|infer\w*|determine\w*|"
        r"spot\w*|identif\w*)\b|"
        r"\bhow come\b|\bare you (?:\w+ )?(?:sure|certain|confident|positive|serious)\b|\bhow (?:sure|confident|"
        r"certain|reliable)\b|"
        r"^(?:can you |could you |please |ok )*(?:explain|elaborate|justify|clarify|begruende\w*|erklaer\w*|"
        r"erlaeuter\w*|prove)(?: (?:it|this|that|"
        r"yourself|why|your|the|more|me|further|das|es|mir|bitte|diagnosis|cause|reasoning|suggestion|conclusion|"
        r"proposal|finding))*$|"
        r"\b(?:reasoning|rationale|justif\w+|root cause|grounds|begruendung|ursache|diagnosis based|convince me|"
        r"based on what|what (?:makes|made|tells|told|led|leads|brought|gives|gave) you|what is (?:the|"
        r"your) (?:\w+ )?(?:cause|"
        r"reason|evidence|diagnosis|basis|proof|explanation)|wie kommst|wie kommen|woran|(?:bist|seid) (?:du|"
        r"ihr) (?:darauf|drauf) gekommen|gruende|reasons?$|explain how you|back (?:that|this|it) up|was macht dich|"
        r"bist du (?:dir )?(?:\w+ )?"
        r"sicher|wie sicher|was spricht dafuer|aus welchem grund|worauf (?:stuetzt|basiert|beruht)|what (?:points|"
        r"speaks|"
        r"indicates|suggests))\b",
    ),
    (
        Kind.HELP,
        r"^(?:please |can you )*(?:i need help|i need some help|help|hilfe|hilf mir|help me|usage|menu|commands|"
        r"manual|anleitung)(?: (?:me|please|"
        r"out|mir))*$|"
        r"\bwhat (?:can|could|do|should|else can|may|are) (?:you|i)(?: \w+)? (?:do|ask|know|say|type|answer|"
        r"understand|able)\b(?!.*"
        r"\b(?:about|myself|instead)\b)|\b(?:how (?:do|can) i (?:use|talk|work with)|how does (?:this|it|that) work|"
        r"who are you|"
        r"what are you$|wer bist du|was bist du|was kannst du|was kann ich (?:\w+ )?(?:fragen|tun|sagen|machen)|"
        r"wie funktioniert (?:das|es|dies)|what (?:questions|commands)|which (?:questions|commands)|welche (?:fragen|"
        r"befehle))\b",
    ),
    (
        Kind.GREETING,
        r"^(?:hi+|hello|hey+|hallo|moin|servus|greetings|yo|good (?:morning|evening|afternoon|day)|guten (?:morgen|"
        r"tag|abend)|"
        r"gruess gott|gruess dich|gruezi|huhu|morning|morgen)(?: (?:there|moin|all|again|you|team|bot|everyone|"
        r"assistant|"
        r"countersign|zusammen|hello|hi|anyone|anybody|is|guten|morgen|good|morning))*$",
    ),
    (
        Kind.THANKS,
        r"^(?:(?:ok|okay|perfect|great|super|good|cool|nice|awesome|alright|ah|oh|yes|got it|very|prima|klasse|toll|"
        r"alles|klar|gut|ja|"
        r"wow|that|is|it|helps|helped|all|understood|makes sense|verstanden|excellent|brilliant|lovely|fine|brilliant|"
        r"many|vielen|herzlichen|besten|tausend|schoenen|fuer die hilfe|for (?:the|your) help|job|work|one|well done|"
        r"done|"
        r"thank|thank you|you|danke\w*|dank|dankeschoen|schoen|merci|cheers|mate|so much|very much|a lot|dir|ihnen|"
        r"sehr|"
        r"buddy|for now|"
        r"again|much appreciated|appreciated|appreciate it|ta|bye|that was quick|tschuess|then|for that|i see)(?: |"
        r"$))+$",
    ),
)

COMPILED: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple((kind, re.compile(pattern)) for kind, pattern in PATTERNS)

NAMED_BY_A_WORD = re.compile(
    rf"\b(?:{_LOOK}|{_SCHAU}|have a look|take a look|what about|how about|what of|i mean\w*|meant|instead|rather|"
    rf"statt\w*|"
    r"diagnosis|diagnostics|switch|maybe|perhaps|might be|could be|suspect|wonder|vielleicht|meine|meinte|diagnose|"
    r"focus|concentrate|move on|next|and the|und die|und der|und das)\b"
)
"""Words that make one word of a known service's name (`the database`) a wish to look at that service."""
NAMED_WHOLE = re.compile(
    rf"{NAMED_BY_A_WORD.pattern}|^(?:and |so |und )?(?:is|are|how is|ist) (?:\S+ )?\S+ "
    r"(?:ok|okay|fine|up|down|well|healthy|broken|affected|running|alive|kaputt|gesund|betroffen)\b|"
    r"\b(?:same|go to|zeig\w*|now|und was ist mit)\b"
)
"""Words that make its whole name one."""
BESIDE_A_NAME = frozenset(
    """the a and or try on now then one service system und oder die der das den nun jetzt what about also too server
    instead not""".split()
)
"""Where nothing but these stands beside a known name, a look at that service is wished for."""

LOOKING = re.compile(
    rf"^(?:(?:can|could|would|will|should) (?:you|we) |let us |go |now |und |and |ok |then )*(?:also |"
    rf"mal )?(?:{_LOOK}|{_SCHAU})\b"
)

REPORT = re.compile(
    r"\b(?:since (?:this|the|last|yesterday|today|about|around|lunch|noon|\d|monday|a|an|half|some)|seit (?:heute|"
    r"gestern|"
    r"dem|der|einer|ein|\d|ungefaehr|etwa)|(?:we|they|users?|people|citizens|customers|i|everybody|everyone|"
    r"colleagues?) "
    r"(?:\w+ )?(?:get|gets|see an?|report\w*|complain\w*|can not|are unable|have no|has no)|nobody (?:here )?can|"
    r"(?:does|do|will|can|is|are|did) not (?:work\w*|open|load|print|respond|start|boot|answer|connect|log|sync\w*|"
    r"arriv\w*|"
    r"reachable|available|log in)|(?:is|are|seems?|seem|keeps?|went|was|were|ist|sind) (?:\w+ )?(?:down|broken|"
    r"jammed|offline|"
    r"crashing|frozen|unreachable|unavailable|hanging|kaputt|ausgefallen|langsam|tot|weg|hung|stuck|slow|refused|"
    r"expired)|"
    r"has (?:no|expired|crashed|stopped|gone)|geht (?:\w+ )?nicht|funktioniert (?:\w+ )?nicht|druckt nicht|failed last|"
    r"fails? with|failing with|takes? forever|no (?:wifi|dial|internet|network|signal)|disk full)\b|^error\b"
)
"""How trouble is reported that nobody has looked at yet. It is a new incident and no question about this one."""

ASKS = re.compile(
    r"^(?:(?:but|and|so|hm+|ok|well|then|aber|und|also|hey|hi|sorry|please) )*(?:why|what|which|who|whose|how|where|"
    r"when|"
    r"did|does|do|is|are|was|were|has|have|can|could|will|would|should|may|must|any|show|see|let|give|explain|warum|"
    r"wieso|"
    r"wer|wen|wie|welche\w*|wo|woran|woher|wann|kann|koennen|muss|darf|hast|hat|gibt|zeig\w*|soll|list|if|wenn|tell)\b"
)

QUESTION = re.compile(r"^(?:and |but |so |or )*(?:which|what|who|whose|when|where|how|why|is|are|was|were|do|does)\b")

ORDER = re.compile(
    r"^(?:(?:and|then|ok|now|also|hey|hi|please|und|dann|so) )*(?:(?:can|could|would|will|kannst|koenntest|must|"
    r"should|i want|i need)"
    r"(?: (?:you|we|i|du|to|someone|somebody|bitte))* )?(?:also |then |quickly |just |to |auch |noch |bitte |mal )*"
    r"(?:clean|tidy|free (?:up|some)|put the|act as|disregard|rotate|vacuum|compress|restart|reboot|delete|drop|kill|"
    r"deploy|install|uninstall|increase|decrease|scale|create|reset|assign|send|"
    r"add|remove|disable|enable|upgrade|update|patch|order|write|translate|close|stop|shut|turn (?:off|on)|purge|"
    r"truncate|"
    r"format|flush|wipe|clear|grant|revoke|roll out|open (?:port|the firewall|a)|book|change the|set the|move the|"
    r"copy|backup|back up|export|import|draft|summari[sz]e|forward|mail|call|"
    r"rotate|vacuum|compress|restore the (?:database|backup)|loesch\w*|starte .* neu|setz\w*|bestell\w*|"
    r"installier\w*|stopp\w*|"
    r"beend\w*|erhoeh\w*|schalt\w*|aender\w* (?:das|die|den)|leg\w* .* an|erstell\w*|schick\w*|increase|bounce|"
    r"ignore (?:all|the|your|previous|any)|forget|tell me a|sing|remind)\b|"
    r"^(?:kannst|koenntest|koennen|bitte) .*\b(?:neu ?starten|neustarten|loeschen|stoppen|installieren|anlegen|"
    r"abschalten|beenden)$"
)
"""Somebody tells the assistant to do something else. It does nothing but what a card offers, so this is no intent."""

MENDABLE = frozenset(
    """why log what which where when while happens happen would could should think know sure explain reasoning reason
    reasons     conclusion confident justify evidence diagnosis cause suggest suggesting suggestion why warum wieso
    weshalb begruende     check checked checks checking look looked looking tested examined examine investigate
    investigated anything else     other another service services database different instead diagnostics verify
    verified ruled excluded logs lines     logfile logging logged output error errors message messages stack trace
    show print entries journal protokoll     wait waiting tomorrow morning urgent ignore nothing leave postpone worse
    overnight itself consequences delay change     changes exact exactly command commands effect execute executed
    execution downtime touch undo undone revert rollback     reversible roll back approve approved approves approver
    approvers approval allowed sign status state fixed worked     done news missing unsure uncertain information
    similar before tickets ticket incidents incident previous known manual     manually myself steps instructions hand
    source sources runbook page documentation documented link reference proof     help thank thanks hello proceed
    confirm reject decline ahead please geprueft angeschaut untersucht passiert warten     rueckgaengig freigeben
    aehnliche faelle zeig quelle seite hilfe danke schritte manuell dienst anderen""".split()
)
"""Words into which a slip of the finger is mended."""
