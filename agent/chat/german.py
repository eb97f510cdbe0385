"""German words as English ones, so that a German question can be compared with English examples. No translation: the
order of words stays, and a sentence with many unknown words is left alone."""

from __future__ import annotations

from collections.abc import Sequence

_PAIRS = """
 ich=i du=you er=he sie=you wir=we ihr=you man=one mich=me mir=me dich=you dir=you uns=us euch=you es=it das=that
die=the der=the den=the dem=the des=the ein=a eine=a einen=a einem=a einer=a eines=a was=what wie=how warum=why
wieso=why weshalb=why wer=who wen=whom wem=whom wessen=whose wo=where woher=where-from wohin=where wann=when
woran=by-what worauf=on-what wofuer=what-for wodurch=by-what wozu=what-for womit=with-what welche=which welcher=which
welches=which welchen=which welchem=which und=and oder=or aber=but nicht=not kein=no keine=no keinen=no nichts=nothing
niemand=nobody keiner=nobody noch=still schon=already auch=also sonst=else nur=only einfach=simply wirklich=really
genau=exactly eigentlich=actually vielleicht=maybe sehr=very zu=to ist=is sind=are war=was waren=were wird=will
werden=be wurde=was wurden=were worden=been bin=am bist=are sein=be seid=are habe=have hab=have hast=have hat=has
haben=have hatte=had hatten=had haette=would-have kann=can kannst=can koennen=can konnte=could konntest=could
konnten=could koennte=could koennten=could soll=should sollte=should sollen=should sollten=should muss=must musst=must
muessen=must musste=had-to darf=may darfst=may duerfen=may will=want willst=want wollen=want moechte=would-like
wuerde=would wuerdest=would wuerden=would lass=let lassen=leave lasse=leave lassst=leave laesst=lets zeig=show
zeige=show zeigen=show gib=give geben=give gibt=there-is gab=there-was mach=do mache=do machen=do macht=does machst=do
gemacht=done tun=do tut=does tue=do getan=done geh=go gehe=go gehen=go geht=goes ging=went schau=look schaue=look
schauen=look guck=look gucken=look angeschaut=looked-at angesehen=looked-at angeguckt=looked-at pruef=check
pruefe=check pruefen=check geprueft=checked ueberpruefen=check ueberprueft=checked pruefung=check pruefungen=checks
untersuch=investigate untersuche=investigate untersuchen=investigate untersucht=investigated
untersuchung=investigation probier=try probiere=try probieren=try versuch=try versuche=try versuchen=try teste=test
testen=test getestet=tested tests=tests kontrolliert=checked kontrolliere=check kontrollieren=check analysier=analyse
analysiere=analyse analysieren=analyse gemessen=measured messen=measure messung=measurement messungen=measurements
messwerte=measurements ausgeschlossen=ruled-out ausschliessen=rule-out betrachtet=looked-at gesehen=seen sehen=see
siehst=see sieht=looks nimm=take nehmen=take genommen=taken wechsel=switch wechsle=switch anderen=other andere=other
anderer=other anderes=other naechsten=next naechste=next naechster=next statt=instead stattdessen=instead
lieber=rather falscher=wrong falsche=wrong falschen=wrong falsch=wrong dienst=service dienste=services
diensten=services system=system systeme=systems server=server datenbank=database anwendung=application
komponente=component komponenten=components festplatte=disk platte=disk speicher=memory netz=network netzwerk=network
zertifikat=certificate protokoll=log protokolle=logs logs=logs log=log logdatei=log-file logzeilen=log-lines
logeintraege=log-entries protokollzeilen=log-lines eintraege=entries zeilen=lines zeile=line meldung=message
meldungen=messages fehlermeldung=error-message fehlermeldungen=error-messages fehler=error ausgabe=output
ausgegeben=printed geschrieben=written schreibt=writes sagt=says sagen=say steht=stands stehen=stand letzte=last
letzten=last letztes=last letzter=last passiert=happens passieren=happen geschieht=happens geschehen=happen wenn=if
falls=if warte=wait warten=wait wartet=waits abwarten=wait gewartet=waited spaeter=later morgen=tomorrow heute=today
jetzt=now sofort=immediately gleich=right-away bald=soon nachher=later frueh=morning montag=monday nacht=night
wochenende=weekend bis=until seit=since dringend=urgent eilig=urgent eilt=is-urgent notfall=emergency schlimm=bad
schlimmer=worse kritisch=critical gefaehrlich=dangerous ernst=serious zeit=time lange=long lang=long viel=much
viele=many ignorieren=ignore ignoriere=ignore liegen=lie liegenlassen=leave verschieben=postpone aufschieben=postpone
selbst=itself selber=itself allein=alone alleine=alone alleiniger=alone erholt=recovers weg=away
verschwindet=disappears folgen=consequences auswirkung=effect auswirkungen=effects schaden=damage nutzer=users
benutzer=users anwender=users kunden=customers merken=notice aendert=changes aendern=change geaendert=changed
veraendert=changed veraendern=change aenderung=change aenderungen=changes befehl=command befehle=commands
ausgefuehrt=executed ausfuehren=execute laeuft=runs laufen=run gelaufen=run aktion=action fix=fix reparatur=repair
reparieren=repair repariert=repaired behoben=fixed beheben=fix loesen=solve geloest=solved loesung=solution
neustart=restart neustarten=restart vorschlag=suggestion vorgeschlagen=proposed karte=card ausfall=outage
unterbrechung=interruption daten=data verloren=lost dateien=files datei=file einstellungen=settings
rueckgaengig=undone zuruecknehmen=take-back zurueckrollen=roll-back zurueck=back wieder=again freigeben=approve
freigegeben=approved freigabe=approval genehmigen=approve genehmigt=approved genehmigung=approval zustimmen=approve
zugestimmt=approved zustimmung=approval ablehnen=reject abgelehnt=rejected entscheiden=decide entschieden=decided
berechtigt=entitled erlaubt=allowed fragen=ask frage=ask anrufen=call rufen=call chef=boss stand=state status=state
lage=situation ergebnis=result ergebnisse=results geholfen=helped hilft=helps helfen=help hilfe=help geklappt=worked
klappt=works funktioniert=works funktionieren=work erledigt=done fertig=done neues=news fehlt=is-missing
fehlen=are-missing unklar=unclear unsicher=unsure unbekannt=unknown offen=open weisst=know weiss=know wissen=know
gewusst=known bekannt=known herausfinden=find-out herausgefunden=found-out gefunden=found finden=find
information=information informationen=information infos=information angaben=details brauchst=need brauchen=need
braucht=needs aehnliche=similar aehnliches=similar aehnlich=similar faelle=cases fall=case vorfaelle=incidents
vorfall=incident stoerung=incident stoerungen=incidents ticket=ticket tickets=tickets problem=problem
probleme=problems frueher=earlier vorher=before frueheren=earlier mal=time einmal=once schonmal=ever-before oft=often
haeufig=often damals=then vorgekommen=occurred kommt=comes kommen=come kommst=come kam=came hand=hand manuell=manually
haendisch=by-hand schritte=steps schritt=step anleitung=instructions anweisung=instructions vorgehen=procedure
tippen=type eingeben=type quelle=source quellen=sources seite=page seiten=pages runbook=runbook
dokumentation=documentation doku=documentation dokumentiert=documented handbuch=manual artikel=article stammt=comes
lesen=read nachlesen=read beleg=proof belege=evidence beweis=proof beweise=proof nachweis=proof grund=reason
gruende=reasons begruendung=reasoning begruende=justify begruenden=justify erklaer=explain erklaere=explain
erklaeren=explain erklaerung=explanation erlaeutere=explain ursache=cause ursachen=causes schuld=cause
diagnose=diagnosis glaubst=think glaube=think denkst=think meinst=think meine=mean schliesst=conclude
schluss=conclusion annahme=assumption vermutest=suspect vermutung=guess erkannt=recognised erkennst=recognise
sicher=sure spricht=speaks dafuer=for-it dagegen=against-it davon=of-it daran=about-it damit=with-it darauf=on-that
dabei=with-it dazu=about-that da=there dort=there hier=here so=so denn=then doch=yet ja=yes nein=no ok=ok gut=good
danke=thanks dank=thanks hallo=hello bitte=please alles=everything alle=all etwas=something irgendwas=anything
irgendetwas=anything andersrum=otherwise anders=different mehr=more weniger=less ausser=besides ausserdem=besides
ueberhaupt=at-all bisher=so-far zuerst=first vor=before nach=after bei=at mit=with ohne=without fuer=for von=of vom=of
im=in in=in am=at an=at auf=on aus=from ueber=about unter=under durch=by gegen=against zum=to zur=to um=around als=as
dass=that ob=whether weil=because dieser=this diese=this dieses=this diesen=this diesem=this mein=my meinen=my
dein=your deine=your deinen=your deiner=your deinem=your unser=our reicht=suffices hin=there her=here rein=in raus=out
an=on waere=would-be ergibt=gives passt=fits stimmt=is-right ernsthaft=seriously konkret=concretely detail=detail
einzelnen=detail ueberzeugt=convinced ueberzeugen=convince ueberzeuge=convince verstehe=understand
verstehen=understand moeglich=possible alternativ=alternative
"""

_ENGLISH = dict(pair.split("=") for pair in _PAIRS.split())
LEAST_KNOWN = 0.75
"""Where fewer of a sentence's words are known, what is left of it says too little."""


def in_english_words(words: Sequence[str]) -> str:
    """Return the German words (lower case, umlauts written out) in English, or nothing when too few are known."""
    known = [word in _ENGLISH or any(letter.isdigit() or letter in "-." for letter in word) for word in words]
    if not words or sum(known) < LEAST_KNOWN * len(words):
        return ""
    return " ".join(_ENGLISH.get(word, word).replace("-", " ") if word in _ENGLISH else word for word in words)
