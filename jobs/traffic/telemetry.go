package traffic

import "math/rand/v2"

// telemetry writes the product events. Arrival times come in ascending order
// from the timeline; what arrives then is drawn from the sessions in progress.
type telemetry struct {
	config Config
	seed   seed
	r      *rand.Rand
	dirt   *rand.Rand // decides what befalls an event

	start  instant
	times  *timeline
	people *population
	crowd  *crowd
	out    *monthly
	again  retries

	line     line
	passing  session // visitors without a lasting identity, one event each
	passed   uint64  // how many of them came
	messages uint64
}

func newTelemetry(c Config, s seed, people *population, agents map[string]struct{}, out *monthly) *telemetry {
	start, r := instantOf(c.Start), s.source(telemetryStream)
	return &telemetry{
		config: c, seed: s, r: r, dirt: s.source(dirtStream),
		start: start, times: newTimeline(c, s.source(telemetryTimes), c.Events),
		people: people, out: out,
		crowd: &crowd{r: r, start: start, people: people, agents: agents},
		again: retries{end: instantOf(c.end())},
	}
}

func (g *telemetry) run(made func() error) error {
	for range g.config.Events {
		received := g.times.next()
		if err := g.sendAgain(received); err != nil {
			return err
		}
		if err := g.send(received); err != nil {
			return err
		}
		if err := made(); err != nil {
			return err
		}
	}
	return g.sendAgain(g.again.end)
}

// send writes the event that arrives at the given time, or what is left of it.
func (g *telemetry) send(received instant) error {
	what := g.config.Dirt.fate(g.dirt.Float64())
	switch what {
	case bot, refusing, minor:
		g.pass(what, received)
	default:
		what = g.visit(what, received)
	}
	l := &g.line
	if what == broken {
		kind := l.damage(g.dirt)
		file, err := g.out.write(received, append(l.bytes, '\n'))
		if err == nil {
			file.addBroken(l.happened, len(l.bytes)+1, kind)
		}
		return err
	}
	l.bytes = append(l.bytes, '\n')
	file, err := g.out.write(received, l.bytes)
	if err != nil {
		return err
	}
	file.addRecord(l.happened, len(l.bytes), l.kind, what)
	l.remember()
	g.again.consider(g.dirt, g.config.Dirt, l, what)
	return nil
}

// sendAgain writes the retries that arrive before the given time.
func (g *telemetry) sendAgain(before instant) error {
	for {
		r, ok := g.again.next(before)
		if !ok {
			return nil
		}
		file, err := g.out.write(r.received, r.bytes)
		if err != nil {
			return err
		}
		file.addDuplicate(r.happened, len(r.bytes), r.what)
	}
}

// visit composes the next event of somebody with a lasting identity and returns
// what became of the fate meant for it.
func (g *telemetry) visit(what fate, received instant) fate {
	s := g.crowd.draw(received, g.times.gap())
	next := s.next(g.r, received)
	if what == late && next != browse {
		what = clean // an account is not opened or deleted after the fact
	}
	since := s.person.first
	if s.signedIn {
		since = s.person.joined
	}
	t, what := newClocks(g.dirt, what, received, max(since, g.start))
	does := s.do(g.r, next)
	var who *person
	if s.signedIn {
		who = s.person
	}
	g.compose(s, does, t, s.device.anonymous, who, 0)
	g.line.closes = next == deleteAccount
	return what
}

// pass composes the only event of a visitor without a lasting identity.
func (g *telemetry) pass(what fate, received instant) {
	s, from, age := &g.passing, g.people.passersBy, 0
	consents := consent{analytics: true}
	switch what {
	case bot:
		from = g.people.bots
	case refusing:
		consents.analytics = false
	case minor:
		age = between(g.r, 9, 16)
	}
	*s = session{device: &from[g.r.IntN(len(from))], page: s.page, context: s.context, consent: consents}
	s.light = !s.device.model.app
	s.page.leave()
	g.crowd.dress(s, received)
	t, _ := newClocks(g.dirt, what, received, g.start)
	g.passed++
	g.compose(s, s.do(g.r, browse), t, g.seed.uuid(passingIDs, g.passed), nil, age)
}

// compose writes g.line: what a session does, when, under which identity. age
// is told in a trait unless it is 0.
func (g *telemetry) compose(s *session, does deed, t clocks, anonymous uuid, who *person, age int) {
	g.messages++
	l := &g.line
	l.begin(does.kind, does.name, g.seed.uuid(messageIDs, g.messages))
	l.identify(anonymous, who)
	l.setTimes(t)
	l.setContext(s, age)
	l.finish(g.r, s, does)
}
