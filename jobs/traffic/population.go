package traffic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// organisation is a customer whose staff use the platform.
type organisation struct {
	id, name, industry string
	employees          int
	network            string // first half of its staff's private addresses
}

// person is somebody with a lasting identity over the period.
type person struct {
	user, name, username, email, phone, token string

	organisation *organisation // nil for people on their own
	country      *country
	place        place
	devices      []device
	plan         string
	marketing    bool
	consent      consent

	first   instant // first visit
	joined  instant // account opened; never before first, and at end for those who do not
	left    instant // last visit is before; end of the period for those who stay
	deletes bool    // deletes the account on leaving

	introduced   bool // an identify call went out
	named        bool // has been written about under a name or user id
	gone         bool // the account is deleted
	lastActivity instant
	closed       instant
}

// population holds everyone who shows up, and when who joins and leaves.
type population struct {
	organisations []organisation
	people        []person
	activity      weights
	appointments  []appointment // ascending
	passersBy     []device
	bots          []device
}

// appointment is the moment at which a person opens or deletes an account.
type appointment struct {
	at     instant
	person *person
	visit  visit
}

func newPopulation(c Config, s seed) *population {
	r := s.source(peopleStream)
	p := &population{organisations: newOrganisations(c.Organisations), people: make([]person, c.People)}
	rank := r.Perm(c.People)
	// The most active person is there from the first instant to the last, so
	// that there is always somebody to draw.
	p.activity = weigh(c.People, func(i int) int { return 10_000_000 / (rank[i] + 12) })
	members := weigh(c.Organisations, func(i int) int { return 1_000_000 / (i + 3) })
	var devices uint64
	for i := range p.people {
		one := &p.people[i]
		one.settle(s, r, i, p.organisations, members)
		one.decideStay(c, r, rank[i] == 0)
		for range 1 + r.IntN(3) {
			devices++
			d := newDevice(r, s, devices)
			d.address = one.addressOf(r, s, i, len(one.devices), d.model.mobile)
			one.devices = append(one.devices, d)
		}
		p.appoint(one, instantOf(c.Start), instantOf(c.end()))
	}
	slices.SortStableFunc(p.appointments, func(a, b appointment) int { return cmp.Compare(a.at, b.at) })
	p.addPassersBy(c, s, r, devices)
	return p
}

func newOrganisations(n int) []organisation {
	all := make([]organisation, n)
	for i := range all {
		all[i] = organisation{
			id:        fmt.Sprintf("org-%02d", i+1),
			name:      companyNames[i%len(companyNames)] + " " + companyKinds[i/len(companyNames)%len(companyKinds)],
			industry:  industries[i*5%len(industries)],
			employees: 20 + int(mix(uint64(i))%4000),
			network:   fmt.Sprintf("10.%d", 100+i%100),
		}
	}
	return all
}

func (p *person) settle(s seed, r *rand.Rand, i int, all []organisation, members weights) {
	first, last := pick(r, firstNames), pick(r, lastNames)
	p.user = fmt.Sprintf("u-%06d", i+1)
	p.name = first.written + " " + last.written
	p.username = fmt.Sprintf("%s.%s%d", first.ascii, last.ascii, i+1)
	p.country = &countries[countryWeights.draw(r)]
	p.place = pick(r, p.country.places)
	digits := fmt.Sprintf("%0*d", p.country.phoneDigits, i)
	p.phone = p.country.phone + digits[len(digits)-p.country.phoneDigits:]
	p.token = strings.ReplaceAll(s.uuid(loginTokens, uint64(i)).String(), "-", "")
	domain := "example.com"
	if chance(r, 0.88) {
		p.organisation = &all[members.draw(r)]
		domain = p.organisation.id + ".example.org"
	}
	p.email = p.username + "@" + domain
	p.plan = pick(r, plans)
	p.marketing = chance(r, 0.35)
	p.consent = consent{analytics: true, functionality: chance(r, 0.8), targeting: chance(r, 0.3)}
}

// decideStay draws when the person first visits, opens an account and leaves.
// More than half are customers when the period begins; 15% stop coming, and 4%
// delete their account.
func (p *person) decideStay(c Config, r *rand.Rand, permanent bool) {
	start, end := instantOf(c.Start), instantOf(c.end())
	p.first, p.joined, p.left = start, start, end
	arrival, departure := r.Float64(), r.Float64()
	onset, stay := instant(r.Int64N(int64(end-start))), instant(r.Int64N(int64(end-start)))
	hesitation := instant(r.Int64N(int64(20 * day)))
	switch {
	case permanent:
		return
	case arrival < 0.08: // never opens an account
		p.first, p.joined = start+onset, end
		p.left = min(p.first+day+stay%(60*day), end)
		return
	case arrival < 0.45:
		p.first = start + onset
		p.joined = min(p.first+hesitation, end)
	}
	if earliest := p.joined + 14*day; departure < 0.19 && earliest < end {
		p.left = earliest + stay%(end-earliest)
		p.deletes = departure < 0.04
	}
}

// addressOf returns the IP address of the person's nth device: a private one for
// some in offices, IPv6 for one home in seven, a mobile carrier's otherwise.
func (p *person) addressOf(r *rand.Rand, s seed, i, n int, mobile bool) string {
	switch host := scatter(s, i*3+n); {
	case !mobile && p.organisation != nil && chance(r, 0.2):
		return fmt.Sprintf("%s.%d.%d", p.organisation.network, 100+host>>8%100, 100+host%100)
	case !mobile && chance(r, 0.14):
		return fmt.Sprintf("2001:db8:%x:%x::%x", 0x1000+host>>4, 0x100+host&15, 0x1000+r.IntN(0xefff))
	case mobile:
		return fmt.Sprintf("198.19.%d.%d", host>>8, host&255)
	default:
		return fmt.Sprintf("198.18.%d.%d", host>>8, host&255)
	}
}

// scatter spreads consecutive numbers over 16 bits without a collision within
// 65,536 of them.
func scatter(s seed, i int) int { return (i*40503 + int(mix(uint64(s))>>48)) & 0xffff }

func (p *population) appoint(one *person, start, end instant) {
	if one.joined > start && one.joined < end {
		p.appointments = append(p.appointments, appointment{one.joined, one, registration})
	}
	if one.deletes {
		p.appointments = append(p.appointments, appointment{one.left, one, farewell})
	}
}

// addPassersBy makes the machines of visitors without a lasting identity. Their
// addresses end where those of people begin.
func (p *population) addPassersBy(c Config, s seed, r *rand.Rand, devices uint64) {
	for i := range max(50, c.People/4) {
		d := newDevice(r, s, devices+1+uint64(i))
		host := scatter(s, -1-i)
		d.address = fmt.Sprintf("198.19.%d.%d", host>>8, host&255)
		p.passersBy = append(p.passersBy, d)
	}
	for i := range 4 * len(crawlers) {
		d := device{model: &models[0], osVersion: "10", agent: agent{crawlers[i%len(crawlers)], 0, 1}}
		d.address = fmt.Sprintf("203.0.113.%d", 1+i*7%254)
		p.bots = append(p.bots, d)
	}
}

// visitor returns somebody who may visit at the given time.
func (p *population) visitor(r *rand.Rand, at instant) *person {
	for {
		if one := &p.people[p.activity.draw(r)]; one.first <= at && at < one.left {
			return one
		}
	}
}
