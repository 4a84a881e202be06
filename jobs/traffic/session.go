package traffic

import "math/rand/v2"

// call is what a session sends next.
type call uint8

const (
	browse call = iota // a page, a screen, or something done on it
	signUp
	signIn
	introduce // identify
	join      // group
	openAccount
	deleteAccount
)

// visit is how a session begins; when its calls have been made, the person
// browses until they leave.
type visit struct {
	signedIn bool
	calls    []call
}

var (
	usual        = visit{signedIn: true}
	introduction = visit{signedIn: true, calls: []call{introduce, join}}
	farewell     = visit{signedIn: true, calls: []call{browse, deleteAccount}}
	anonymous    = visit{}
	returning    = visit{calls: []call{browse, browse, signIn, introduce}}
	registration = visit{calls: []call{browse, browse, signUp, introduce, join, openAccount}}
)

// session is one visit of one person with one device.
type session struct {
	person   *person // nil for visitors without a lasting identity
	device   *device
	signedIn bool
	light    bool // measured by a small script that tells less
	calls    []call
	page     page
	consent  consent
	context  []byte // what all its events have in common; see appendContext
	last     instant
	over     bool
}

// consent is the answer to a cookie banner; what is necessary is not asked for.
type consent struct{ analytics, functionality, targeting bool }

// visitOf returns how a visit of one at the given time begins.
func visitOf(r *rand.Rand, one *person, at instant) visit {
	switch {
	case at < one.joined:
		return anonymous
	case !one.introduced:
		return introduction
	case chance(r, 0.25):
		return returning
	default:
		return usual
	}
}

// continues reports whether the session may send another event at the given
// time. Nothing follows the deletion of an account.
func (s *session) continues(at instant) bool {
	const idle = 30 * minute
	switch {
	case s.person.gone:
		return false
	case len(s.calls) > 0:
		return true
	default:
		return !s.over && at < s.last+idle && at < s.person.left
	}
}

// next returns the next call and decides whether the visitor then leaves; a
// visit lasts nine events on average.
func (s *session) next(r *rand.Rand, at instant) call {
	s.last = at
	if len(s.calls) > 0 {
		first := s.calls[0]
		s.calls = s.calls[1:]
		if first == join && s.person.organisation == nil {
			return browse
		}
		return first
	}
	s.over = r.IntN(9) == 0
	return browse
}

// crowd is the set of sessions in progress. It is as large as the traffic asks
// for and never larger than maximumSessions and the appointments that fall due
// at once.
type crowd struct {
	r       *rand.Rand
	start   instant
	people  *population
	agents  map[string]struct{} // every user agent in use so far
	present []*session
	spare   []*session
	met     int // appointments kept
}

const maximumSessions = 512

// draw returns the session that sends the event of the given time, where events
// are gap apart on average and those of one session some 45 seconds.
func (c *crowd) draw(at, gap instant) *session {
	if due := c.people.appointments[c.met:]; len(due) > 0 && due[0].at <= at {
		c.met++
		return c.begin(due[0].person, due[0].visit, at)
	}
	wanted := int(min(max(45*second/max(gap, 1), 1), maximumSessions))
	for len(c.present) >= wanted {
		i := c.r.IntN(len(c.present))
		s := c.present[i]
		if s.continues(at) {
			return s
		}
		last := len(c.present) - 1
		c.present[i] = c.present[last]
		c.present = c.present[:last]
		c.spare = append(c.spare, s)
	}
	who := c.people.visitor(c.r, at)
	return c.begin(who, visitOf(c.r, who, at), at)
}

func (c *crowd) begin(who *person, v visit, at instant) *session {
	s := new(session)
	if n := len(c.spare); n > 0 {
		s, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	// Nine visits in ten are with the first device.
	d := &who.devices[0]
	if chance(c.r, 0.1) {
		d = &who.devices[c.r.IntN(len(who.devices))]
	}
	*s = session{
		person: who, device: d, signedIn: v.signedIn, calls: v.calls,
		page: s.page, context: s.context, consent: who.consent, last: at,
	}
	s.light = !d.model.app && chance(c.r, 0.85)
	s.page.leave()
	c.dress(s, at)
	c.present = append(c.present, s)
	return s
}

// dress writes the context of a session that begins at the given time.
func (c *crowd) dress(s *session, at instant) {
	month := int((at - c.start) / (30 * day))
	agent := s.device.userAgent(month)
	c.agents[agent] = struct{}{}
	s.device.used = true
	s.context = appendContext(s.context[:0], s, agent, 10+month)
}
