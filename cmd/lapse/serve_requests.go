package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// takesRequests reports whether there are keys for requests of data subjects.
func (a *app) takesRequests() bool {
	return a.settings.Requests.WriteKeys != "" || a.settings.Requests.WriteKeysFile != ""
}

// byHTTP is who enters requests that come over HTTP, in their histories.
const byHTTP = "http"

// requestKeys returns the keys of those who may send requests of data subjects; nil if
// there are none.
func (a *app) requestKeys() (*web.WriteKeys, error) {
	if !a.takesRequests() {
		return nil, nil
	}
	keys, err := writeKeysOf("requests", a.settings.Requests.WriteKeys, a.settings.Requests.WriteKeysFile)
	if err != nil {
		return nil, usageError{err}
	}
	for _, other := range []struct {
		part, text, file string
		set              bool
	}{
		{"collector", a.settings.Collector.WriteKeys, a.settings.Collector.WriteKeysFile, a.collects()},
		{"training", a.settings.Training.WriteKeys, a.settings.Training.WriteKeysFile, a.takesNotes()},
	} {
		if !other.set {
			continue
		}
		theirs, err := writeKeysOf(other.part, other.text, other.file)
		if err != nil {
			return nil, usageError{err}
		}
		if keys.Share(theirs) {
			return nil, usageError{fmt.Errorf("requests and %s have a write key in common: whoever has it could have people erased; make another one with 'openssl rand -hex 16'", other.part)}
		}
	}
	return keys, nil
}

// requests adds what takes requests of data subjects to mux, if there are keys.
func (a *app) requests(mux *http.ServeMux, s *stores, keys *web.WriteKeys) {
	if keys == nil {
		return
	}
	q := &web.Requests{
		Keys: keys, Limits: web.Limits{BatchBytes: int(a.settings.Collector.MaxBatch)}, Log: a.log,
		Enter: func(ctx context.Context, id sinks.ID, asked *web.Asked) (shown any, entered bool, err error) {
			err = s.Use(ctx, func(i *installation) error {
				shown, entered, err = i.enterAsked(ctx, id, asked)
				return err
			})
			return shown, entered, err
		},
		Decide: func(ctx context.Context, id sinks.ID, event sinks.RequestEvent, d *web.Decision) (shown any, err error) {
			err = s.Use(ctx, func(i *installation) error {
				shown, err = i.decideAsked(ctx, id, event, d)
				return err
			})
			return shown, err
		},
		Show: func(ctx context.Context, id sinks.ID) (shown any, err error) {
			err = s.Use(ctx, func(i *installation) error {
				shown, err = i.showAsked(ctx, id)
				return err
			})
			return shown, err
		},
	}
	q.Register(mux)
}

// showAsked returns a request as it is shown to senders; nil if there is none.
func (i *installation) showAsked(ctx context.Context, id sinks.ID) (any, error) {
	found, err := i.store.Requests(ctx, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	s := showRequest(i, &found[0], time.Now())
	s.History = found[0].History
	return s, nil
}

// enterAsked enters a request that came over HTTP, under an id, unless it is in the
// register already. 'lapse run subject' carries out what is accepted.
func (i *installation) enterAsked(ctx context.Context, id sinks.ID, asked *web.Asked) (shown any, entered bool, err error) {
	if shown, err = i.showAsked(ctx, id); err != nil || shown != nil {
		return shown, false, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	named, err := i.personAsked(id, asked, now)
	if err != nil {
		return nil, false, err
	}
	_, people, err := i.find(ctx, []sinks.Person{named}, now)
	var wrong usageError
	switch {
	case errors.Is(err, jobs.ErrAmbiguous):
		return nil, false, web.Fault{Text: "subject: several people have this identifier; name one of user_id's kind, by which people are told apart"}
	case errors.As(err, &wrong):
		return nil, false, web.Fault{Text: "subject: nothing is held that has this identifier, so nobody knows who it is"}
	case err != nil:
		return nil, false, err
	}
	people[0].Terms = named.Terms
	received := asked.Received.UTC().Truncate(time.Millisecond)
	if asked.Received.IsZero() {
		received = now
	}
	requests := newRequests(asked.Right, people, received, now, !asked.IdentityConfirmed, byHTTP)
	if err := i.change(ctx, &jobs.RequestChange{New: requests, People: people}, now); err != nil {
		return nil, false, err
	}
	shown, err = i.showAsked(ctx, id)
	return shown, true, err
}

// decideAsked notes a decision that came over HTTP, and returns the request as it is
// shown; nil if there is none. 'lapse run subject' carries out what is accepted.
func (i *installation) decideAsked(ctx context.Context, id sinks.ID, event sinks.RequestEvent, d *web.Decision) (any, error) {
	found, err := i.store.Requests(ctx, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	decision := requestDecision{reason: d.Reason, clause: d.Clause, by: byHTTP}
	if !d.Until.IsZero() {
		decision.until = d.Until.Format(time.RFC3339)
	}
	_, err = i.noteDecision(ctx, event, decision, []string{id.String()}, time.Now().UTC().Truncate(time.Millisecond))
	var wrong usageError
	switch {
	case errors.As(err, &wrong) && errors.Is(wrong.error, jobs.ErrRequestState):
		return nil, web.Fault{Text: fmt.Sprintf("it is %s by now, which does not go with that", found[0].State()), Conflict: true}
	case errors.As(err, &wrong):
		return nil, web.Fault{Text: strings.TrimPrefix(wrong.Error(), "--")}
	case err != nil:
		return nil, err
	}
	return i.showAsked(ctx, id)
}

// personAsked checks what came, and returns whom it names, with what is asked for.
func (i *installation) personAsked(id sinks.ID, asked *web.Asked, now time.Time) (sinks.Person, error) {
	p := sinks.Person{ID: id}
	fault := func(format string, words ...any) (sinks.Person, error) { // holds nothing that came
		return p, web.Fault{Text: fmt.Sprintf(format, words...)}
	}
	if !slices.Contains(sinks.Rights, asked.Right) {
		return fault("right: is one of %s", joined(sinks.Rights))
	}
	if asked.Received.After(now) {
		return fault("received: the time lies ahead")
	}
	known := namingColumns(i.policy, asked.Right)
	for _, column := range slices.Sorted(maps.Keys(asked.Subject)) {
		if !slices.Contains(known, column) || asked.Subject[column] == "" {
			return fault("subject: name the person by one or more of %s", strings.Join(known, ", "))
		}
		p.Identifiers = append(p.Identifiers, sinks.Identifier{Column: column, Text: asked.Subject[column]})
	}
	if len(p.Identifiers) == 0 {
		return fault("subject: name the person by one or more of %s", strings.Join(known, ", "))
	}
	if namesBoth(i.policy, p) {
		return fault("subject: an organisation is named alone, and so is a person")
	}
	if rectifies := asked.Right == sinks.RightRectification; rectifies != (len(asked.Set) > 0) {
		return fault("set: goes with rectification, and names the right values by column")
	}
	if len(asked.Set) > 0 && jobs.CheckRectifiable(i.policy, asked.Set) != nil {
		return fault("set: names a column that no dataset has, or by which records are told apart, or that is derived from another")
	}
	for _, column := range slices.Sorted(maps.Keys(asked.Set)) {
		p.Terms = append(p.Terms, sinks.Term{Name: sinks.TermSet + column, Value: asked.Set[column]})
	}
	if len(asked.Categories) > 0 && asked.Right != sinks.RightWithdrawal {
		return fault("categories: goes with withdrawal")
	}
	for _, category := range asked.Categories {
		if !slices.Contains(i.policy.ConsentCategories(), category) {
			return fault("categories: the policy has %s", strings.Join(i.policy.ConsentCategories(), ", "))
		}
		p.Terms = append(p.Terms, sinks.Term{Name: sinks.TermCategory, Value: category})
	}
	if asked.Recipient != "" {
		_, err := age.ParseRecipients(strings.NewReader(asked.Recipient))
		if err != nil || asked.Right != sinks.RightAccess && asked.Right != sinks.RightPortability {
			return fault("recipient: goes with access and portability, and is a recipient of age, such as age1…")
		}
		p.Terms = append(p.Terms, sinks.Term{Name: sinks.TermRecipient, Value: asked.Recipient})
	}
	return p, nil
}

func joined(rights []sinks.Right) string {
	words := make([]string, len(rights))
	for n, r := range rights {
		words[n] = string(r)
	}
	return strings.Join(words, ", ")
}
