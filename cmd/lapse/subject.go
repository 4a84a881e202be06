package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) subjectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "subject",
		Short: "Answer the requests of data subjects: what they ask for, by when, and what became of it",
		Long: `Keeps the register of what people ask for (C14), with the time in which each has to be
answered (C15), and carries it out.

A person is named by any identifier that the records have: COLUMN=VALUE, such as
user_id=u-17 or email=ann@example.org. Other identifiers of the same person are found in
the records in which two stand together, and shown before anything is done. Who asked is
forgotten when the request is answered; what became of it stays.`,
		Example: `  lapse subject erase --subject user_id=u-17 --dry-run
  lapse subject erase --subjects-file people.txt --yes
  lapse subject list --overdue
  lapse subject extend 5f0c… --reason "many systems"`,
	}
	c.AddCommand(a.subjectCopyCommand(sinks.RightAccess), a.subjectCopyCommand(sinks.RightPortability), a.subjectEraseCommand(), a.subjectRectifyCommand(),
		a.subjectRestrictCommand(), a.subjectUnrestrictCommand(), a.subjectDecideForCommand(sinks.RightObjection), a.subjectDecideForCommand(sinks.RightWithdrawal),
		a.subjectExplainCommand(), a.subjectListCommand(), a.subjectShowCommand(), a.subjectReceiptCommand(),
		a.subjectDecisionCommand(sinks.RequestAccepted), a.subjectDecisionCommand(sinks.RequestRefused),
		a.subjectDecisionCommand(sinks.RequestExtended), a.subjectDecisionCommand(sinks.RequestCancelled))
	return c
}

// requestFlags are those of a new request.
type requestFlags struct {
	peopleFlags
	received string
	pending  bool
	dryRun   bool
	yes      bool
}

func (f *requestFlags) register(c *cobra.Command) {
	f.peopleFlags.register(c)
	c.Flags().StringVar(&f.received, "received", "", "when it was received: YYYY-MM-DD or RFC 3339 (default: now)")
	c.Flags().BoolVar(&f.pending, "identity-pending", false, "enter the request only: it is not known yet who asks, and the clock stands still until 'lapse subject accept'")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show whom the request is about and what is held, and do nothing")
}

// receivedAt reads when a request was received.
func (f *requestFlags) receivedAt(i *installation, now time.Time) (time.Time, error) {
	if f.received == "" {
		return now, nil
	}
	at, err := parseMoment("--received", f.received, i.policy)
	if err == nil && at.After(now) {
		err = usageError{errors.New("--received: the time lies ahead")}
	}
	return at, err
}

// newRequests are the requests of people, as the register takes them.
func newRequests(right sinks.Right, people []sinks.Person, received, now time.Time, pending bool, by string) []sinks.Request {
	next := sinks.RequestAccepted
	if pending {
		next = sinks.RequestPending
	}
	requests := make([]sinks.Request, len(people))
	for n, p := range people {
		requests[n] = sinks.Request{ID: p.ID, Right: right, Received: received, History: []sinks.RequestNote{
			{Request: p.ID, Event: sinks.RequestReceived, At: received, By: by}, {Request: p.ID, Event: next, At: now, By: by},
		}}
	}
	return requests
}

// change changes the register, with its entries in the audit log.
func (i *installation) change(ctx context.Context, change *jobs.RequestChange, now time.Time) error {
	change.Policy, change.Register = i.policy, i.store
	if _, err := change.Plan(ctx, now); err != nil {
		if errors.Is(err, jobs.ErrRequestState) {
			return usageError{err}
		}
		return err
	}
	if err := i.openLogOnce(ctx); err != nil {
		return err
	}
	_, err := i.runner(sinks.ActorOperator, nil).Run(ctx, change, now)
	return err
}

// openLogOnce opens the audit log unless that was done.
func (i *installation) openLogOnce(ctx context.Context) error {
	if i.log != nil {
		return nil
	}
	return i.openLog(ctx)
}

// parseRequest reads the id of a request.
func parseRequest(text string) (id sinks.ID, err error) {
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return id, usageError{fmt.Errorf("%q is not the id of a request, 32 hexadecimal digits as 'lapse subject list' shows them", text)}
	}
	return id, nil
}
