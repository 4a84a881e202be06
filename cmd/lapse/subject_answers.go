package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// answers carries out requests other than erasures. All that it does can be done again:
// what is identified by the request, and dated by its acceptance, is stored once.
type answers struct {
	*installation
	made map[sinks.ID]answered // by request
}

var _ jobs.Answers = (*answers)(nil)

// answered is what was done for a person.
type answered struct {
	Request sinks.ID `json:"request"`
	Rows    uint64   `json:"rows,omitempty"`
	Holds   int      `json:"holds,omitempty"`
	Entries int      `json:"ledger_entries,omitempty"`
	Answer  string   `json:"answer,omitempty"`
	// Decisions are what an explanation explains.
	Decisions []jobs.Decision `json:"automated_decisions,omitempty"`
	*madeCopy
	words string
}

// Answer implements jobs.Answers.
func (a *answers) Answer(ctx context.Context, r *sinks.Request, p sinks.Person) (map[sinks.Count]uint64, error) {
	done, err := a.carryOutOne(ctx, r, p)
	if err != nil {
		return nil, err
	}
	done.Request = r.ID
	a.made[r.ID] = done
	return map[sinks.Count]uint64{sinks.CountBefore: done.Rows}, nil
}

func (a *answers) carryOutOne(ctx context.Context, r *sinks.Request, p sinks.Person) (answered, error) {
	switch r.Right {
	case sinks.RightAccess, sinks.RightPortability:
		return a.copyFor(ctx, r, p)
	case sinks.RightRectification:
		return a.rectify(ctx, p)
	case sinks.RightRestriction:
		return a.restrict(ctx, r, p)
	case sinks.RightObjection:
		return a.decideFor(ctx, r, p, []string{config.ObjectionCategory}, false)
	case sinks.RightWithdrawal:
		categories := p.TermsOf(sinks.TermCategory)
		return a.decideFor(ctx, r, p, categories, len(categories) == 0)
	case sinks.RightExplanation:
		return a.explain(), nil
	}
	return answered{}, fmt.Errorf("this version of Lapse does not know the right %q", r.Right)
}

// answerNow carries out requests that were accepted, and returns what was done.
func (i *installation) answerNow(ctx context.Context, requests []sinks.ID) ([]answered, error) {
	job, err := i.subject()
	if err != nil {
		return nil, err
	}
	job.Requests = requests
	if err := i.openLogOnce(ctx); err != nil {
		return nil, err
	}
	_, err = i.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now())
	made := []answered{}
	for _, id := range requests {
		if done, ok := job.Answers.(*answers).made[id]; ok {
			made = append(made, done)
		}
	}
	return made, err
}

// copyFor makes the copy for a person, in place of what an interrupted run has made.
func (a *answers) copyFor(ctx context.Context, r *sinks.Request, p sinks.Person) (answered, error) {
	var recipients []age.Recipient
	for _, text := range p.TermsOf(sinks.TermRecipient) {
		more, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return answered{}, fmt.Errorf("the recipient of the copy is not one of age's: %w", err)
		}
		recipients = append(recipients, more...)
	}
	made, err := a.makeCopy(ctx, r, p, recipients)
	if err != nil {
		return answered{}, err
	}
	return answered{madeCopy: made, words: fmt.Sprintf("%s holds the copy; it is deleted from %s on", made.File, show(made.Deleted))}, nil
}

func (a *answers) rectify(ctx context.Context, p sinks.Person) (answered, error) {
	values := map[string]string{}
	for _, t := range p.Terms {
		if column, ok := strings.CutPrefix(t.Name, sinks.TermSet); ok {
			values[column] = t.Value
		}
	}
	job := &jobs.Rectify{Policy: a.policy, Tables: a.store, Locks: a.locks, Person: p, Values: values}
	report, err := a.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now())
	if err != nil {
		return answered{}, err
	}
	done := answered{Rows: report.Counts()[sinks.CountBefore]}
	done.words = fmt.Sprintf("%d rows are put right", done.Rows)
	return done, nil
}

// restrict places a hold for each identifier. One that was lifted since an earlier try is
// left as it is.
func (a *answers) restrict(ctx context.Context, r *sinks.Request, p sinks.Person) (answered, error) {
	holds, err := a.store.Holds(ctx)
	if err != nil {
		return answered{}, err
	}
	lifted := map[sinks.ID]bool{}
	for _, h := range holds {
		lifted[h.ID] = !h.ReleasedAt.IsZero()
	}
	for n, id := range p.Identifiers {
		h := &sinks.Hold{
			ID: sinks.HashID("restriction", p.ID.String(), fmt.Sprint(n)), BySubject: true, PlacedBy: orUser(""), PlacedAt: r.Since(),
			Reason: sinks.RestrictionReason + p.ID.String(),
		}
		if lifted[h.ID] {
			continue
		}
		job := &jobs.HoldChange{Policy: a.policy, Register: a.store, Place: h, Subject: id.Text}
		if _, err := a.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now()); err != nil {
			return answered{}, err
		}
	}
	return answered{Holds: len(p.Identifiers), words: fmt.Sprintf("restricted; lift it with: lapse subject unrestrict %s", p.ID)}, nil
}

// decideFor enters decisions against categories, all if there are none, and if asked
// against training, too. They date from the request's acceptance.
func (a *answers) decideFor(ctx context.Context, r *sinks.Request, p sinks.Person, categories []string, training bool) (answered, error) {
	if len(categories) == 0 {
		categories = a.policy.ConsentCategories()
	}
	keys, err := a.consentKeys()
	if err != nil {
		return answered{}, err
	}
	job := &jobs.Consent{Ledger: a.store, Clause: "C8"}
	for _, id := range p.Identifiers {
		for _, category := range categories {
			job.Decisions = append(job.Decisions, sinks.ConsentDecision{
				Subject: keys.Of(id.Column, []byte(id.Text)), Category: category, At: r.Since(), Origin: sinks.ConsentByOperator,
			})
		}
	}
	if len(job.Decisions) > 0 {
		if _, err := a.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now()); err != nil {
			return answered{}, err
		}
	}
	if training && a.policy.Training != nil {
		if err := a.withdrawTraining(ctx, p, r.Since()); err != nil {
			return answered{}, err
		}
	}
	return answered{Entries: len(job.Decisions), words: fmt.Sprintf("%d entries in the ledger; they hold for records that arrive from now on", len(job.Decisions))}, nil
}

func (a *answers) explain() answered {
	words := jobs.DecisionsInWords(a.policy)
	return answered{Answer: words, Decisions: jobs.Decisions(a.policy), words: words}
}
