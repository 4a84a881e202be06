package traffic

import "math/rand/v2"

// deed is what one event reports: the Segment call, its name, and what fills its
// properties.
type deed struct {
	kind, name string
	append     func(b []byte, r *rand.Rand, s *session) []byte
}

// do carries out a call: it moves the session and its person on and returns what
// there is to report.
func (s *session) do(r *rand.Rand, next call) deed {
	switch next {
	case signUp:
		s.signedIn = true
		return deed{"track", "Signed Up", appendDuration}
	case signIn:
		s.signedIn = true
		return deed{"track", "Signed In", appendDuration}
	case introduce:
		s.person.introduced = true
		return deed{kind: "identify"}
	case join:
		return deed{kind: "group"}
	case openAccount:
		return deed{"track", "Account Created", appendDuration}
	case deleteAccount:
		s.person.gone = true
		return deed{"track", "Account Deleted", appendDuration}
	default:
		return s.browse(r)
	}
}

// browse opens a page or screen, or does something on the one that is open.
func (s *session) browse(r *rand.Rand) deed {
	if len(s.page.url) == 0 || chance(r, 0.52) {
		s.page.open(r, s.signedIn, s.person)
		if s.device.model.app {
			return deed{"screen", s.page.title, appendScreen}
		}
		return deed{"page", s.page.title, appendView}
	}
	does := &publicActions[publicActionWeights.draw(r)]
	if s.signedIn {
		does = &actions[actionWeights.draw(r)]
	}
	return deed{"track", does.name, does.append}
}

// finish ends the line with what the deed reports.
func (l *line) finish(r *rand.Rand, s *session, does deed) {
	b := l.bytes
	switch does.kind {
	case "identify":
		b = endObject(appendTraits(beginObject(b, "traits"), r, s.person))
	case "group":
		b = appendGroup(b, s.person.organisation)
	default:
		b = endObject(does.append(beginObject(b, "properties"), r, s))
	}
	b = endObject(b)
	l.bytes = b[:len(b)-1] // the comma that endObject leaves
}

// remember notes what the written line tells about an account.
func (l *line) remember() {
	if l.identified == nil {
		return
	}
	l.identified.lastActivity = max(l.identified.lastActivity, l.happened)
	if l.closes {
		l.identified.closed = l.happened
	}
}
