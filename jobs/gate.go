package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Gate decides about records by what the ledgers know of people: who was erased, and
// who has consented to what. The latest decision wins, wherever it was made; what a
// record itself says is entered in the consent ledger.
//
// It holds the ledgers in memory, up to a bound; of what does not fit it asks one by
// one.
type Gate struct {
	consents   sinks.ConsentLedger
	erasures   sinks.ErasureLedger
	categories []string            // of the policy, and that of objections
	columns    map[string][]string // the subject columns, by dataset
	groups     map[string]string   // the organisation column, by dataset
	objectable map[string]bool     // datasets that an objection stops

	consentKeys *SubjectKeys
	keys        ErasureKeys
	erasureKeys []*SubjectKeys   // one for each period
	verdicts    map[string]int64 // until when somebody was erased, by column and identifier: a few people are most of the traffic
	decided     *memory          // by subject and category: when, and what
	decidedOn   []bool           // whether anybody has decided about a category
	erased      *memory          // by subject: until when
	said        []sinks.ConsentDecision
	latest      []decision // of the record in hand, by category
	text        []byte     // of the identifier in hand
	err         error      // of a ledger that was asked about somebody
	ctx         context.Context
	learned     time.Time // when it was last asked what people have consented to
}

// learnEvery is how soon a decision about consent that is made elsewhere holds for
// records in a run that is under way. The records of the run itself are known at once;
// so are erasures, which must not be missed.
const learnEvery = time.Second

var _ sinks.Gate = (*Gate)(nil)

// GateKeys are the secrets of the ledgers.
type GateKeys struct {
	Consents sinks.LedgerKey
	Erasures ErasureKeys
}

// NewGate returns a gate that has learned what the ledgers hold. It asks them in ctx,
// and lives no longer.
func NewGate(ctx context.Context, p *config.Policy, consents sinks.ConsentLedger, erasures sinks.ErasureLedger, keys GateKeys) (*Gate, error) {
	g := &Gate{
		consents: consents, erasures: erasures, categories: append(slices.Clip(p.ConsentCategories()), config.ObjectionCategory),
		columns: map[string][]string{}, groups: map[string]string{}, objectable: map[string]bool{},
		consentKeys: NewSubjectKeys(keys.Consents), keys: keys.Erasures, verdicts: map[string]int64{},
		decided: newMemory(), erased: newMemory(), ctx: ctx,
	}
	g.latest, g.decidedOn = make([]decision, len(g.categories)), make([]bool, len(g.categories))
	for i := range p.Datasets {
		d := &p.Datasets[i]
		g.columns[d.Name], g.groups[d.Name], g.objectable[d.Name] = d.Subject, d.Organisation, p.Objectable(d)
	}
	return g, g.Learn(ctx)
}

// Admit implements sinks.Gate.
func (g *Gate) Admit(c *sinks.Candidate) bool {
	columns := g.columns[c.Dataset]
	if !g.erased.empty() && g.namesErased(c) {
		return false
	}
	c.Objected = false
	if g.decided.empty() && !says(c.Decisions) {
		return true
	}
	strongest := true
	own := decision{at: c.At.UnixMilli()}
	latest := g.latest
	clear(latest)
	for i, column := range columns {
		if len(c.Identifiers[i]) == 0 {
			continue
		}
		subject := g.consentKeys.Of(column, c.Identifiers[i])
		for n := range g.categories {
			known := g.decision(subject, n)
			if own.what = said(c.Decisions, n); strongest && own.what != sinks.Undecided && own.after(known) {
				g.enter(subject, n, own)
				known = own
			}
			if known.after(latest[n]) {
				latest[n] = known
			}
		}
		strongest = false
	}
	if c.Objected = g.objectable[c.Dataset] && latest[len(latest)-1].what == sinks.Denied; c.Objected {
		return false
	}
	for n := range c.Decisions {
		own.what = c.Decisions[n]
		if own.what == sinks.Undecided || own.what == sinks.Granted && latest[n].after(own) {
			c.Decisions[n] = latest[n].what
		}
	}
	return true
}

// says reports whether a record itself decides anything.
func says(decisions []sinks.Decision) bool {
	for _, d := range decisions {
		if d != sinks.Undecided {
			return true
		}
	}
	return false
}

// said returns what a record says about a category; it says nothing about objections.
func said(decisions []sinks.Decision, n int) sinks.Decision {
	if n < len(decisions) {
		return decisions[n]
	}
	return sinks.Undecided
}

// decision is what somebody has decided about a category, and when (milliseconds of
// Unix time).
type decision struct {
	what sinks.Decision
	at   int64
}

// after reports whether d counts and not e: it is later and says something else, or
// e says nothing. Of two at one instant the refusal counts.
func (d decision) after(e decision) bool {
	switch {
	case d.what == sinks.Undecided || d.what == e.what:
		return false
	case e.what == sinks.Undecided:
		return true
	}
	return d.at > e.at || d.at == e.at && d.what == sinks.Denied
}

// A decision is remembered as its time with a bit for what it says.
func (d decision) pack() int64 {
	p := d.at << 1
	if d.what == sinks.Granted {
		p |= 1
	}
	return p
}

func unpack(p int64) decision {
	if p&1 == 1 {
		return decision{sinks.Granted, p >> 1}
	}
	return decision{sinks.Denied, p >> 1}
}

func (g *Gate) decision(subject sinks.SubjectKey, category int) decision {
	if g.decided.complete && !g.decidedOn[category] {
		return decision{}
	}
	key := memoryKey(subject, category)
	if p, ok := g.decided.get(key); ok {
		if p == nothing {
			return decision{}
		}
		return unpack(p)
	}
	if g.decided.complete {
		return decision{}
	}
	g.askConsents(subject)
	if p, ok := g.decided.get(key); ok && p != nothing {
		return unpack(p)
	}
	return decision{}
}

// askConsents learns what one subject has decided. Everything the records have said
// is entered before, because the memory may forget it.
func (g *Gate) askConsents(subject sinks.SubjectKey) {
	g.fail(g.record(g.ctx))
	for n := range g.categories {
		g.decided.put(memoryKey(subject, n), nothing)
	}
	history, err := g.consents.ConsentsOf(g.ctx, []sinks.SubjectKey{subject})
	g.fail(err)
	for _, d := range history {
		g.remember(d, true)
	}
}

// enter notes a decision that a record carries.
func (g *Gate) enter(subject sinks.SubjectKey, category int, d decision) {
	g.decidedOn[category] = true
	g.decided.put(memoryKey(subject, category), d.pack())
	g.said = append(g.said, sinks.ConsentDecision{
		Subject: subject, Category: g.categories[category], Granted: d.what == sinks.Granted,
		At: time.UnixMilli(d.at).UTC(), Origin: sinks.ConsentInRecord,
	})
}

// remember takes over a decision of the ledger, if it is later than what is known.
// Unless that is complete, it says nothing about somebody of whom nothing is known.
func (g *Gate) remember(d sinks.ConsentDecision, complete bool) {
	for n, category := range g.categories {
		if category != d.Category {
			continue
		}
		g.decidedOn[n] = true
		key, learned := memoryKey(d.Subject, n), decision{sinks.Denied, d.At.UnixMilli()}
		if d.Granted {
			learned.what = sinks.Granted
		}
		switch p, ok := g.decided.get(key); {
		case !ok && !complete: // it is asked for when it is needed
		case !ok || p == nothing || learned.after(unpack(p)):
			g.decided.put(key, learned.pack())
		}
	}
}

// namesErased reports whether a record is one of an erased person or organisation.
func (g *Gate) namesErased(c *sinks.Candidate) bool {
	for i, column := range g.columns[c.Dataset] {
		if len(c.Identifiers[i]) > 0 && g.isErased(column, c.Identifiers[i], c.At) {
			return true
		}
	}
	return len(c.Organisation) > 0 && g.isErased(g.groups[c.Dataset], c.Organisation, c.At)
}

func (g *Gate) isErased(column string, identifier []byte, at time.Time) bool {
	g.text = append(append(append(g.text[:0], column...), 0), identifier...)
	until, known := g.verdicts[string(g.text)]
	if !known {
		until = nothing
		for _, keys := range g.erasureKeys {
			until = max(until, g.erasedUntil(keys.hash(g.text)))
		}
		if len(g.text) <= longestSubject {
			if len(g.verdicts) >= knownSubjects {
				clear(g.verdicts)
			}
			g.verdicts[string(g.text)] = until
		}
	}
	return until != nothing && at.UnixMilli() <= until
}

// erasedUntil returns until when somebody was erased, or nothing.
func (g *Gate) erasedUntil(subject sinks.SubjectKey) int64 {
	key := memoryKey(subject, 0)
	until, ok := g.erased.get(key)
	switch {
	case ok:
		return until
	case g.erased.complete:
		return nothing
	}
	until = nothing
	found, err := g.erasures.ErasuresOf(g.ctx, []sinks.SubjectKey{subject})
	g.fail(err)
	for _, e := range found {
		until = max(until, e.Until.UnixMilli())
	}
	g.erased.put(key, until)
	return until
}

func (g *Gate) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// Settle implements sinks.Gate.
func (g *Gate) Settle(ctx context.Context) error {
	g.fail(g.record(ctx))
	return g.err
}

// record enters what records have said.
func (g *Gate) record(ctx context.Context) error {
	err := g.consents.RecordConsents(ctx, g.said)
	g.said = g.said[:0]
	return err
}

// Learn implements sinks.Gate.
func (g *Gate) Learn(ctx context.Context) error {
	more := false // that was not known
	err := g.erasures.Erasures(ctx, g.erased.since(), func(e sinks.Erasure) {
		key := memoryKey(e.Subject, 0)
		until, ok := g.erased.get(key)
		more = more || !ok || until < e.Until.UnixMilli()
		if ok || g.erased.complete { // else it is asked for when it is needed
			g.erased.put(key, max(until, e.Until.UnixMilli()))
		}
		g.erased.recorded(e.RecordedAt)
	})
	if err == nil && more {
		err = g.learnKeys()
	}
	if err != nil || time.Since(g.learned) < learnEvery {
		return err
	}
	g.learned = time.Now()
	return g.consents.LatestConsents(ctx, g.decided.since(), func(d sinks.ConsentDecision) {
		g.remember(d, g.decided.complete)
		g.decided.recorded(d.RecordedAt)
	})
}

// learnKeys takes over the keys under which people were erased. They are older than what
// was entered under them.
func (g *Gate) learnKeys() error {
	secrets, err := g.keys.All()
	if err != nil {
		return err
	}
	g.erasureKeys = g.erasureKeys[:0]
	for _, secret := range secrets {
		g.erasureKeys = append(g.erasureKeys, NewSubjectKeys(secret))
	}
	clear(g.verdicts)
	return nil
}
