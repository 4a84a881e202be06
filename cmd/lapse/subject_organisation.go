package main

import (
	"errors"
	"fmt"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// namedForErasure reads which organisations and people are to be erased.
func (a *app) namedForErasure(p *config.Policy, f requestFlags, organisations []string) ([]sinks.Person, error) {
	named, err := organisationsNamed(p, organisations)
	if err != nil || len(named) > 0 && len(f.subjects) == 0 && f.file == "" {
		return named, err
	}
	people, err := f.people(a.in, p, sinks.RightErasure)
	return append(named, people...), err
}

// organisationsNamed are organisations that are to be erased, each under a new id.
func organisationsNamed(p *config.Policy, names []string) (named []sinks.Person, err error) {
	columns := p.OrganisationColumns()
	if len(names) > 0 && len(columns) == 0 {
		return nil, usageError{errors.New("--organisation: the policy does not say of any dataset which column holds the organisation; set organisation there")}
	}
	for _, name := range names {
		if name == "" {
			return nil, usageError{errors.New("--organisation: names nobody")}
		}
		named = append(named, sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: columns[0], Text: name}}})
	}
	return named, nil
}

func eraseQuestion(p *config.Policy, named []sinks.Person) string {
	organisations := 0
	for _, n := range named {
		if jobs.IsOrganisation(p, n) {
			organisations++
		}
	}
	switch people := len(named) - organisations; {
	case organisations == 0:
		return fmt.Sprintf("erase %d people?", people)
	case people == 0:
		return fmt.Sprintf("erase %d organisations, with who is known by them alone?", organisations)
	default:
		return fmt.Sprintf("erase %d people and %d organisations, with who is known by these alone?", people, organisations)
	}
}
