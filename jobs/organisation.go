package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// IsOrganisation reports whether somebody is an organisation: named by nothing but columns
// that hold organisations.
func IsOrganisation(p *config.Policy, person sinks.Person) bool {
	columns := p.OrganisationColumns()
	return len(person.Identifiers) > 0 && !slices.ContainsFunc(person.Identifiers, func(i sinks.Identifier) bool {
		return !slices.Contains(columns, i.Column)
	})
}

// resolveOrganisation finds who is known by an organisation alone: the people and visitors
// that stand beside it and beside no other, and beside nobody else. Of the rest only the
// records go that name the organisation.
func resolveOrganisation(ctx context.Context, p *config.Policy, tables sinks.PeopleTables, named sinks.Person) (*resolving, error) {
	r := newResolver(tables, map[string]int{})
	r.organisations = true
	o := &resolving{id: named.ID, found: map[sinks.Identifier]int{}}
	for _, column := range p.OrganisationColumns() {
		r.ranks[column] = -1
		for _, i := range named.Identifiers { // it has one name, in whatever column
			o.take(sinks.Identifier{Column: column, Text: i.Text}, "named")
		}
	}
	for column, rank := range subjectRanks(p) {
		r.ranks[column] = rank
	}
	for range mostRounds {
		if more, err := r.members(ctx, o); err != nil || !more {
			return o, err
		}
	}
	return nil, fmt.Errorf("who is known by this organisation is tied to it over more than %d steps", mostRounds)
}

// members takes over what is tied to what is the organisation's by now, the strongest
// first, and reports whether anything was.
func (r *resolver) members(ctx context.Context, o *resolving) (more bool, err error) {
	for range 2 { // first its own ties, then those of what it is tied to
		if err := r.ask(ctx, []*resolving{o}); err != nil {
			return false, err
		}
	}
	var candidates []ResolvedIdentifier
	for _, from := range o.list {
		if from.Shared {
			continue
		}
		for _, c := range r.ties[from.Identifier] {
			if r.ranks[c.Column] > r.ranks[from.Column] && !o.has(c) {
				candidates = append(candidates, ResolvedIdentifier{Identifier: c, How: "beside " + from.Column, Shared: true})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b ResolvedIdentifier) int { return cmp.Compare(r.ranks[a.Column], r.ranks[b.Column]) })
	for _, c := range candidates {
		others := slices.ContainsFunc(r.ties[c.Identifier], func(t sinks.Identifier) bool {
			return r.ranks[t.Column] < r.ranks[c.Column] && !o.has(t)
		})
		_, seen := o.found[c.Identifier]
		switch {
		case !others:
			more = more || !o.has(c.Identifier)
			o.take(c.Identifier, c.How)
		case !seen:
			o.found[c.Identifier] = len(o.list)
			o.list = append(o.list, c)
		}
	}
	return more, nil
}
