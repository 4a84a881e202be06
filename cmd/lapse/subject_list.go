package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) subjectListCommand() *cobra.Command {
	var all, overdue bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the requests that are open, and by when each has to be answered",
		Example: "  lapse subject list --overdue\n  lapse subject list --all --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.listRequests(c.Context(), all, overdue) },
	}
	c.Flags().BoolVar(&all, "all", false, "also those that are settled")
	c.Flags().BoolVar(&overdue, "overdue", false, "only those whose time has passed; if there are any, the exit code is 5")
	return c
}

func (a *app) subjectShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show one request with its history, and what is left of the person",
		Example: "  lapse subject show 5f0c6dd1a3a84e16b8f0a1c2d3e4f506",
		Args:    exactly(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.showRequest(c.Context(), args[0]) },
	}
}

// shownRequest is a request as it is shown. Who asked is not.
type shownRequest struct {
	Request  sinks.ID            `json:"request"`
	Right    sinks.Right         `json:"right"`
	State    sinks.RequestEvent  `json:"state"`
	Received time.Time           `json:"received"`
	Due      time.Time           `json:"due,omitzero"`
	Overdue  bool                `json:"overdue"`
	Paused   bool                `json:"clock_paused,omitempty"`
	Settled  time.Time           `json:"settled,omitzero"`
	History  []sinks.RequestNote `json:"history,omitempty"`
	// What is held still of somebody whose erasure goes on.
	Rows  uint64 `json:"rows_left,omitempty"`
	Held  uint64 `json:"rows_under_legal_hold,omitempty"`
	Items uint64 `json:"training_items_left,omitempty"`
}

func showRequest(i *installation, r *sinks.Request, now time.Time) shownRequest {
	s := shownRequest{Request: r.ID, Right: r.Right, State: r.State(), Received: r.Received}
	s.Due, s.Paused = jobs.AnswerDue(i.policy, r)
	if r.Open() {
		s.Overdue = !s.Paused && s.Due.Before(now)
	} else {
		s.Settled = r.Since()
	}
	return s
}

// shownRequests returns the requests that a condition selects.
func (i *installation) shownRequests(ctx context.Context, now time.Time, wanted func(*sinks.Request) bool) ([]shownRequest, error) {
	all, err := i.store.Requests(ctx, sinks.ID{})
	if err != nil {
		return nil, err
	}
	shown := []shownRequest{}
	for n := range all {
		if wanted(&all[n]) {
			shown = append(shown, showRequest(i, &all[n], now))
		}
	}
	return shown, nil
}

func (a *app) listRequests(ctx context.Context, all, overdue bool) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	now := time.Now()
	shown, err := i.shownRequests(ctx, now, func(r *sinks.Request) bool {
		if overdue {
			return showRequest(i, r, now).Overdue
		}
		return all || r.Open()
	})
	if err != nil {
		return err
	}
	switch {
	case a.output == "json":
		err = a.printJSON(shown)
	case len(shown) == 0 && overdue:
		a.say("no request is overdue")
	case len(shown) == 0:
		a.say("no request is open")
	default:
		a.printRequests(shown)
	}
	if err == nil && overdue && len(shown) > 0 {
		return errOverdue
	}
	return err
}

func (a *app) printRequests(shown []shownRequest) {
	var rows [][]any
	for _, r := range shown {
		rows = append(rows, []any{r.Request.String(), string(r.Right), string(r.State), r.Received, r.Due, r.when()})
	}
	a.printTable([]string{"request", "right", "state", "received (UTC)", "due (UTC)", ""}, rows)
}

// when says in words what there is to say about a request's time.
func (r *shownRequest) when() string {
	switch {
	case r.Paused:
		return "the clock stands still"
	case r.Overdue:
		return "overdue"
	case !r.Settled.IsZero():
		return "settled"
	}
	return "in time"
}

func (a *app) showRequest(ctx context.Context, text string) error {
	id, err := parseRequest(text)
	if err != nil {
		return err
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	r, err := i.request(ctx, id)
	if err != nil {
		return err
	}
	s := showRequest(i, r, time.Now())
	s.History = r.History
	if err := i.addLeft(ctx, &s); err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(s)
	}
	a.printRequests([]shownRequest{s})
	a.say("")
	var rows [][]any
	for _, n := range r.History {
		rows = append(rows, []any{n.At, string(n.Event), n.By, n.Reason, n.Clause, n.Until})
	}
	a.printTable([]string{"at (UTC)", "event", "by", "reason", "clause", "until (UTC)"}, rows)
	if s.Rows+s.Held+s.Items > 0 {
		a.say("\nleft of the person: %d rows, %d rows under a legal hold, %d training items", s.Rows, s.Held, s.Items)
	}
	return nil
}

// addLeft counts what is left of somebody whose erasure goes on.
func (i *installation) addLeft(ctx context.Context, s *shownRequest) error {
	if s.State != sinks.RequestExecuting && s.State != sinks.RequestAccepted {
		return nil
	}
	people, err := i.store.PeopleOf(ctx, []sinks.ID{s.Request})
	if err != nil || len(people) == 0 {
		return err
	}
	_, rows, err := i.store.CountPeople(ctx, sinks.People{Persons: people}, time.Now())
	if err != nil {
		return err
	}
	for _, r := range rows {
		s.Rows, s.Held = s.Rows+r.Rows, s.Held+r.Held
	}
	items, err := i.store.TrainingItemsOf(ctx, people)
	s.Items = items[s.Request]
	return err
}

// request returns one request.
func (i *installation) request(ctx context.Context, id sinks.ID) (*sinks.Request, error) {
	found, err := i.store.Requests(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0].ID != id {
		return nil, usageError{errNoRequest}
	}
	return &found[0], nil
}
