package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// peopleFlags name people by any column that identifies directly.
type peopleFlags struct{ subjectFlags }

func (f *peopleFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.subjects, "subject", nil, "the person's identifier: COLUMN=VALUE, such as user_id=u-17 or email=ann@example.org; several are one person")
	c.Flags().StringVar(&f.file, "subjects-file", "", "file with a person on each line, identifiers apart by tabs, or - for the standard input: what stands in no process list")
}

// people reads who is named in a request for a right, each under a new id.
func (f *peopleFlags) people(in io.Reader, p *config.Policy, right sinks.Right) (people []sinks.Person, err error) {
	known := namingColumns(p, right)
	add := func(where string, texts []string) error {
		person := sinks.Person{ID: sinks.NewID()}
		for _, text := range texts { // errors do not quote it: it names a person
			column, value, ok := strings.Cut(text, "=")
			switch {
			case !ok || value == "":
				return usageError{fmt.Errorf("%s: write COLUMN=VALUE, such as %s=…", where, known[0])}
			case !slices.Contains(known, column):
				return usageError{fmt.Errorf("%s: no dataset has a column of this name that identifies people; those are %s", where, strings.Join(known, ", "))}
			}
			if i := (sinks.Identifier{Column: column, Text: value}); !slices.Contains(person.Identifiers, i) {
				person.Identifiers = append(person.Identifiers, i)
			}
		}
		if namesBoth(p, person) {
			return usageError{fmt.Errorf("%s: an organisation is named alone, and so is a person", where)}
		}
		people = append(people, person)
		return nil
	}
	if len(f.subjects) > 0 {
		if err := add("--subject", f.subjects); err != nil {
			return nil, err
		}
	}
	lines, err := (&subjectFlags{file: f.file}).lines(in)
	if err != nil {
		return nil, err
	}
	for n, line := range lines {
		if err := add(fmt.Sprintf("person %d", n+1), strings.Split(line, "\t")); err != nil {
			return nil, err
		}
	}
	if len(people) == 0 {
		return nil, usageError{errors.New("name somebody with --subject or --subjects-file")}
	}
	return people, nil
}

// namingColumns returns the columns by which people can be named in a request for a right.
// Only an erasure can be of an organisation, too.
func namingColumns(p *config.Policy, right sinks.Right) []string {
	columns := identifyingColumns(p)
	if right == sinks.RightErasure {
		columns = append(columns, p.OrganisationColumns()...)
	}
	return columns
}

// namesBoth reports whether somebody is named by an organisation and by something else.
func namesBoth(p *config.Policy, person sinks.Person) bool {
	return len(person.Identifiers) > 1 && slices.ContainsFunc(person.Identifiers, func(i sinks.Identifier) bool {
		return slices.Contains(p.OrganisationColumns(), i.Column)
	})
}

// identifyingColumns returns the columns by which people are told apart, and then all
// others that identify directly.
func identifyingColumns(p *config.Policy) []string {
	columns := subjectColumns(p)
	for i := range p.Datasets {
		for _, c := range p.Datasets[i].Columns {
			if c.Identifies == config.Directly && !slices.Contains(columns, c.Name) {
				columns = append(columns, c.Name)
			}
		}
	}
	return columns
}

// foundPeople is what is known of people who were named.
type foundPeople struct {
	People []jobs.ResolvedPerson `json:"people"`
	Held   []foundRows           `json:"held"` // what there is of them, by dataset
	Items  uint64                `json:"training_items"`
	// Shown is how many of the people these show.
	Shown uint64 `json:"training_people"`
}

type foundRows struct {
	Dataset   string `json:"dataset"`
	Rows      uint64 `json:"rows"`
	LegalHold uint64 `json:"under_legal_hold"`
	People    uint64 `json:"people"`
}

// find resolves people and counts what there is of them.
func (i *installation) find(ctx context.Context, named []sinks.Person, asOf time.Time) (*foundPeople, []sinks.Person, error) {
	pseudonyms, err := jobs.NewPseudonyms(i.policy, i.keys)
	if err != nil {
		return nil, nil, err
	}
	resolved, err := jobs.ResolvePeople(ctx, i.policy, i.store, pseudonyms.Add(named))
	if errors.Is(err, jobs.ErrAmbiguous) {
		err = usageError{err}
	}
	if err != nil {
		return nil, nil, err
	}
	found := &foundPeople{People: resolved, Held: []foundRows{}}
	people := make([]sinks.Person, len(resolved))
	for n := range resolved {
		if people[n] = resolved[n].Person(); len(people[n].Identifiers) == 0 {
			return nil, nil, usageError{fmt.Errorf("person %d: nothing is held that has this identifier, so nobody knows who it is", n+1)}
		}
		for m := range resolved[n].Identifiers {
			if r := &resolved[n].Identifiers[m]; pseudonyms.Made(r.Identifier) {
				r.How = "pseudonym"
			}
		}
	}
	people = pseudonyms.Add(people) // of those that were found, too
	_, rows, err := i.store.CountPeople(ctx, sinks.People{Persons: people}, asOf)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		n := slices.IndexFunc(found.Held, func(f foundRows) bool { return f.Dataset == r.Dataset })
		if n < 0 {
			n = len(found.Held)
			found.Held = append(found.Held, foundRows{Dataset: r.Dataset})
		}
		f := &found.Held[n]
		f.Rows, f.LegalHold, f.People = f.Rows+r.Rows+r.Held, f.LegalHold+r.Held, f.People+1
	}
	items, err := i.store.TrainingItemsOf(ctx, people)
	for _, n := range items {
		found.Items += n
		if n > 0 {
			found.Shown++
		}
	}
	return found, people, err
}

// peopleShown is of how many people the identifiers are shown one by one.
const peopleShown = 20

// identifiersShown is how many identifiers of one of them are; organisations have many.
const identifiersShown = 100

// printFound shows who was found, and what there is of them.
func (a *app) printFound(f *foundPeople) {
	var rows [][]any
	left, more := 0, 0
	for n, p := range f.People {
		if n >= peopleShown {
			left++
			continue
		}
		for m, i := range p.Identifiers {
			if m == identifiersShown {
				more += len(p.Identifiers) - m
				break
			}
			how := i.How
			if i.Shared {
				how += "; others have it, too: left out"
			}
			rows = append(rows, []any{n + 1, i.Column, i.Text, how})
		}
	}
	a.printTable([]string{"person", "column", "identifier", "found"}, rows)
	if more > 0 {
		a.say("and %d more identifiers of theirs; --output json lists them", more)
	}
	if left > 0 {
		a.say("and %d more people", left)
	}
	rows = nil
	for _, r := range f.Held {
		rows = append(rows, []any{r.Dataset, r.Rows, r.People, r.LegalHold})
	}
	if f.Items > 0 {
		rows = append(rows, []any{sinks.TrainingDataset, f.Items, f.Shown, uint64(0)})
	}
	a.say("")
	if len(rows) == 0 {
		a.say("nothing is held of them")
		return
	}
	a.printTable([]string{"dataset", "rows", "people", "under legal hold"}, rows)
}
