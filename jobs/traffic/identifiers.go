package traffic

import (
	"iter"
	"maps"
	"slices"
)

// IdentifierKind says what sort of direct identifier a value is.
type IdentifierKind string

// The kinds of direct identifiers in the input.
const (
	UserID      IdentifierKind = "user_id"
	AnonymousID IdentifierKind = "anonymous_id"
	DeviceID    IdentifierKind = "device_id"
	PersonName  IdentifierKind = "name"
	Username    IdentifierKind = "username"
	Email       IdentifierKind = "email"
	Phone       IdentifierKind = "phone"
	LoginToken  IdentifierKind = "login_token"
	IPAddress   IdentifierKind = "ip"
	UserAgent   IdentifierKind = "user_agent"
)

// Identifiers yields every direct identifier that stands in the input, in plain
// form: as a decoder returns it. A few of those it yields may stand nowhere,
// because the person has them but did not come to use them; two people may have
// the same name. It needs no memory however many there are.
func (t *Truth) Identifiers() iter.Seq2[IdentifierKind, string] {
	return func(yield func(IdentifierKind, string) bool) {
		for i := range t.people.people {
			if !t.people.people[i].identifiers(yield) {
				return
			}
		}
		for _, others := range [][]device{t.people.passersBy, t.people.bots} {
			for i := range others {
				if others[i].used && !yield(IPAddress, others[i].address) {
					return
				}
			}
		}
		for n := range t.passed {
			if !yield(AnonymousID, t.seed.uuid(passingIDs, n+1).String()) {
				return
			}
		}
		for _, agent := range slices.Sorted(maps.Keys(t.agents)) {
			if !yield(UserAgent, agent) {
				return
			}
		}
	}
}

// identifiers yields those of one person and of the devices they used.
func (p *person) identifiers(yield func(IdentifierKind, string) bool) bool {
	if p.named {
		known := yield(UserID, p.user) && yield(PersonName, p.name) && yield(Username, p.username) &&
			yield(Email, p.email) && yield(Phone, p.phone) && yield(LoginToken, p.token)
		if !known {
			return false
		}
	}
	for i := range p.devices {
		d := &p.devices[i]
		if !d.used {
			continue
		}
		if !yield(AnonymousID, d.anonymous.String()) || !yield(DeviceID, d.id.String()) || !yield(IPAddress, d.address) {
			return false
		}
	}
	return true
}
