package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// ResolvedIdentifier is an identifier that was found to be a person's, or that was
// looked at and left out.
type ResolvedIdentifier struct {
	sinks.Identifier
	// How it was found: "named", or beside which column.
	How string `json:"how"`
	// Shared says that it stands beside identifiers of somebody else, too. Nobody knows
	// whose it is, so it is left out unless it is named.
	Shared bool `json:"shared,omitempty"`
}

// ResolvedPerson is what is known of somebody who was named by some identifiers.
type ResolvedPerson struct {
	ID          sinks.ID             `json:"request"`
	Identifiers []ResolvedIdentifier `json:"identifiers"`
}

// Person returns the identifiers that are the person's.
func (r *ResolvedPerson) Person() sinks.Person {
	p := sinks.Person{ID: r.ID}
	for _, i := range r.Identifiers {
		if !i.Shared {
			p.Identifiers = append(p.Identifiers, i.Identifier)
		}
	}
	return p
}

// ErrAmbiguous means that an identifier is that of several people.
var ErrAmbiguous = errors.New("several people have it")

// mostRounds bounds how far ties are followed.
const mostRounds = 20

// ResolvePeople finds the other identifiers of people, from the records in which two
// stand together: those of identify and alias calls, and all others. A weaker one (an
// anonymous id) is taken over if it stands beside no other person's stronger one (a user
// id), and a stronger one if it is the only one beside a weaker.
//
// Persons are named by columns by which datasets tell people apart, or by other columns
// that identify directly, such as an address, if only one person has it. Organisations
// are named by their columns; see IsOrganisation.
func ResolvePeople(ctx context.Context, p *config.Policy, tables sinks.PeopleTables, persons []sinks.Person) ([]ResolvedPerson, error) {
	r := newResolver(tables, subjectRanks(p))
	people := make([]*resolving, len(persons))
	var others []sinks.Identifier
	organisations := map[int]*resolving{}
	for n, person := range persons {
		people[n] = &resolving{id: person.ID, found: map[sinks.Identifier]int{}}
		if IsOrganisation(p, person) {
			o, err := resolveOrganisation(ctx, p, tables, person)
			if err != nil {
				return nil, err
			}
			organisations[n] = o
			continue
		}
		for _, i := range person.Identifiers {
			if _, subject := r.ranks[i.Column]; subject {
				people[n].take(i, "named")
			} else {
				others = append(others, i)
			}
		}
	}
	known, err := tables.Resolve(ctx, others)
	if err != nil {
		return nil, err
	}
	for n, person := range persons {
		for _, i := range person.Identifiers {
			if _, subject := r.ranks[i.Column]; subject || organisations[n] != nil {
				continue
			}
			strongest := r.strongest(known[i])
			if len(strongest) > 1 {
				return nil, fmt.Errorf("%w: %d different %s stand beside the %s; name the one that is meant", ErrAmbiguous, len(strongest), strongest[0].Column, i.Column)
			}
			for _, s := range strongest {
				people[n].take(s, "beside "+i.Column)
			}
		}
	}
	for range mostRounds {
		if more, err := r.round(ctx, people); err != nil || !more {
			for n, o := range organisations {
				people[n] = o
			}
			return resolved(people), err
		}
	}
	return nil, fmt.Errorf("the identifiers of these people are tied to others over more than %d steps; name fewer people at once", mostRounds)
}

// subjectRanks orders the columns by which people are told apart, the most lasting first.
func subjectRanks(p *config.Policy) map[string]int {
	ranks := map[string]int{}
	for i := range p.Datasets {
		for _, c := range p.Datasets[i].Subject {
			if _, known := ranks[c]; !known {
				ranks[c] = len(ranks)
			}
		}
	}
	return ranks
}

// resolver follows ties.
type resolver struct {
	tables        sinks.PeopleTables
	organisations bool // their ties count, too
	ranks         map[string]int
	ties          map[sinks.Identifier][]sinks.Identifier // of all that were asked for
	newer         map[sinks.Identifier][]sinks.Identifier // of former names, those that came after
}

func newResolver(tables sinks.PeopleTables, ranks map[string]int) *resolver {
	return &resolver{tables: tables, ranks: ranks, ties: map[sinks.Identifier][]sinks.Identifier{}, newer: map[sinks.Identifier][]sinks.Identifier{}}
}

// resolving is a person whose identifiers are being found.
type resolving struct {
	id    sinks.ID
	found map[sinks.Identifier]int // place in list
	list  []ResolvedIdentifier
}

func (p *resolving) take(i sinks.Identifier, how string) {
	if n, seen := p.found[i]; seen {
		p.list[n].Shared = false
		return
	}
	p.found[i] = len(p.list)
	p.list = append(p.list, ResolvedIdentifier{Identifier: i, How: how})
}

func (p *resolving) has(i sinks.Identifier) bool {
	n, seen := p.found[i]
	return seen && !p.list[n].Shared
}

// strongest returns those of the identifiers that stand in the most lasting column.
func (r *resolver) strongest(of []sinks.Identifier) (strongest []sinks.Identifier) {
	for _, i := range of {
		if len(strongest) > 0 && r.ranks[i.Column] > r.ranks[strongest[0].Column] {
			continue
		}
		if len(strongest) > 0 && r.ranks[i.Column] < r.ranks[strongest[0].Column] {
			strongest = nil
		}
		strongest = append(strongest, i)
	}
	return strongest
}

// round takes over what is tied to the people as far as it is known by now, and reports
// whether anything was.
func (r *resolver) round(ctx context.Context, people []*resolving) (more bool, err error) {
	for range 2 { // first the people's own ties, then those of what they are tied to
		if err := r.ask(ctx, people); err != nil {
			return false, err
		}
	}
	for _, p := range people {
		for n := 0; n < len(p.list); n++ {
			from := p.list[n]
			if from.Shared {
				continue
			}
			for _, c := range r.ties[from.Identifier] {
				if _, seen := p.found[c]; seen {
					continue
				}
				if _, asked := r.ties[c]; !asked { // the next round knows whose it is
					more = true
					continue
				}
				p.take(c, "beside "+from.Column)
				if !r.own(p, from.Identifier, c) {
					p.list[p.found[c]].Shared = true
					continue
				}
				more = true
			}
		}
	}
	return more, nil
}

// own reports whether a candidate that is tied to one of a person's identifiers is the
// person's, too: of the two the weaker is tied to no other of the stronger's column, and
// of two names of one column nobody else has come from the former.
func (r *resolver) own(p *resolving, from, candidate sinks.Identifier) bool {
	if from.Column == candidate.Column {
		former := from
		if slices.Contains(r.newer[candidate], from) {
			former = candidate
		}
		return !slices.ContainsFunc(r.newer[former], func(other sinks.Identifier) bool {
			return other != from && other != candidate && !p.has(other)
		})
	}
	stronger, weaker := from, candidate
	if r.ranks[candidate.Column] < r.ranks[from.Column] {
		stronger, weaker = candidate, from
	}
	return !slices.ContainsFunc(r.ties[weaker], func(other sinks.Identifier) bool {
		return other.Column == stronger.Column && other != stronger && !p.has(other)
	})
}

// ask learns the ties of all identifiers that are the people's or tied to them.
func (r *resolver) ask(ctx context.Context, people []*resolving) error {
	var unknown []sinks.Identifier
	asked := map[sinks.Identifier]bool{}
	want := func(i sinks.Identifier) {
		if _, known := r.ties[i]; !known && !asked[i] {
			asked[i] = true
			unknown = append(unknown, i)
		}
	}
	for _, p := range people {
		for _, i := range p.list {
			if i.Shared {
				continue
			}
			want(i.Identifier)
			for _, c := range r.ties[i.Identifier] {
				want(c)
			}
		}
	}
	ties, err := r.tables.Ties(ctx, unknown, r.organisations)
	if err != nil {
		return err
	}
	for _, i := range unknown {
		r.ties[i] = nil
	}
	for _, t := range ties {
		if t.Stronger.Column == t.Weaker.Column && !slices.Contains(r.newer[t.Weaker], t.Stronger) {
			r.newer[t.Weaker] = append(r.newer[t.Weaker], t.Stronger)
		}
		for _, side := range [][2]sinks.Identifier{{t.Stronger, t.Weaker}, {t.Weaker, t.Stronger}} {
			if asked[side[0]] && !slices.Contains(r.ties[side[0]], side[1]) {
				r.ties[side[0]] = append(r.ties[side[0]], side[1])
			}
		}
	}
	return nil
}

func resolved(people []*resolving) []ResolvedPerson {
	list := make([]ResolvedPerson, len(people))
	for n, p := range people {
		slices.SortStableFunc(p.list, func(a, b ResolvedIdentifier) int {
			return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
		})
		list[n] = ResolvedPerson{ID: p.id, Identifiers: p.list}
	}
	return list
}
