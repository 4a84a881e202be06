package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

var errNoRequest = errors.New("there is no such request; 'lapse subject list --all' shows them")

// refusalReason is a coded reason for which requests can be refused: the article of the
// GDPR that it stands in, and the rights against which it counts, all if it names none.
type refusalReason struct {
	code, article, words string
	rights               []sinks.Right
}

var refusalReasons = []refusalReason{
	{"identity_not_confirmed", "12(2)", "nobody knows whether the person is who asks", nil},
	{"manifestly_unfounded", "12(5)", "", nil},
	{"excessive", "12(5)", "in particular because it is repeated", nil},
	{"rights_of_others", "15(4)", "a copy would tell about others", []sinks.Right{sinks.RightAccess, sinks.RightPortability}},
	{"freedom_of_expression", "17(3)(a)", "and of information", []sinks.Right{sinks.RightErasure}},
	{"legal_obligation", "17(3)(b)", "the law says that it is kept", []sinks.Right{sinks.RightErasure}},
	{"public_interest", "17(3)(c), (d)", "public health, archives, research", []sinks.Right{sinks.RightErasure}},
	{"legal_claims", "17(3)(e), 21(1)", "it is needed to establish, exercise or defend them", []sinks.Right{sinks.RightErasure, sinks.RightObjection}},
	{"compelling_grounds", "21(1)", "compelling legitimate grounds override the person's interests", []sinks.Right{sinks.RightObjection}},
	{"no_data_held", "12(4)", "nothing is held of the person", nil},
}

// refusalCodes are the codes of the reasons.
func refusalCodes() (codes []string) {
	for _, r := range refusalReasons {
		codes = append(codes, r.code)
	}
	return codes
}

// refusalsInWords lists the reasons for the help.
func refusalsInWords() string {
	var b strings.Builder
	for _, r := range refusalReasons {
		words := "Article " + r.article
		if r.words != "" {
			words += ": " + r.words
		}
		if len(r.rights) > 0 {
			words += " (" + joined(r.rights) + ")"
		}
		_, _ = fmt.Fprintf(&b, "  %-23s %s\n", r.code, words)
	}
	return strings.TrimRight(b.String(), "\n")
}

// checkRefusal refuses reasons that do not count against the rights of requests.
func (i *installation) checkRefusal(ctx context.Context, code string, requests []string) error {
	reason := refusalReasons[slices.IndexFunc(refusalReasons, func(r refusalReason) bool { return r.code == code })]
	for _, text := range requests {
		id, err := parseRequest(text)
		if err != nil {
			return err
		}
		r, err := i.request(ctx, id)
		if err != nil {
			return err
		}
		if len(reason.rights) > 0 && !slices.Contains(reason.rights, r.Right) {
			return usageError{fmt.Errorf("--reason: %s (Article %s GDPR) counts against %s, and %s asks for %s", code, reason.article, joined(reason.rights), id, r.Right)}
		}
	}
	return nil
}

// clauseFlagPattern is how the policy's clauses are written.
var clauseFlagPattern = regexp.MustCompile(`^C[0-9]{1,2}$`)

// requestDecision holds the flags of what is decided about requests.
type requestDecision struct{ reason, clause, until, by string }

// subjectDecisionCommand is the command that notes an event.
func (a *app) subjectDecisionCommand(event sinks.RequestEvent) *cobra.Command {
	var f requestDecision
	c := &cobra.Command{
		Args: atLeast(1),
		RunE: func(c *cobra.Command, args []string) error { return a.decide(c.Context(), event, f, args) },
	}
	c.Flags().StringVar(&f.by, "by", "", "who decides (default: you, as the system knows you)")
	switch event {
	case sinks.RequestAccepted:
		c.Use, c.Short = "accept ID...", "Accept requests: it is known who asks, and the clock runs"
		c.Long = "Accepts requests and carries them out; erasures are left to 'lapse run subject'."
		c.Example = "  lapse subject accept 5f0c6dd1a3a84e16b8f0a1c2d3e4f506 && lapse run subject"
	case sinks.RequestRefused:
		c.Use, c.Short = "refuse ID... --reason CODE --clause CLAUSE", "Refuse requests, with a coded reason and the clause it rests on"
		c.Long = "Refuses requests, and forgets who asked. The reasons, with where the GDPR has them, are:\n\n" + refusalsInWords()
		c.Example = `  lapse subject refuse 5f0c6dd1a3a84e16b8f0a1c2d3e4f506 --reason legal_claims --clause C16
  lapse subject refuse 7a1e90c2d4b8463f9c0d1e2f3a4b5c6d --reason compelling_grounds --clause C7`
		c.Flags().StringVar(&f.reason, "reason", "", "code of the reason; --help lists them")
		c.Flags().StringVar(&f.clause, "clause", "", "clause of the policy, such as C16")
		_, _ = c.MarkFlagRequired("reason"), c.MarkFlagRequired("clause")
		_ = c.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(refusalCodes(), cobra.ShellCompDirectiveNoFileComp))
	case sinks.RequestExtended:
		c.Use, c.Short = "extend ID... --reason TEXT", "Extend the time for an answer, with a reason; the person has to be told"
		c.Example = `  lapse subject extend 5f0c6dd1a3a84e16b8f0a1c2d3e4f506 --reason "records of many years" --until 2026-09-01`
		c.Flags().StringVar(&f.reason, "reason", "", "why; put no personal data here")
		c.Flags().StringVar(&f.until, "until", "", "the new end: YYYY-MM-DD (its first instant) or RFC 3339 (default: by the policy's extension)")
		_ = c.MarkFlagRequired("reason")
	case sinks.RequestCancelled:
		c.Use, c.Short = "cancel ID...", "Cancel requests: the people have taken them back"
		c.Example = "  lapse subject cancel 5f0c6dd1a3a84e16b8f0a1c2d3e4f506"
	}
	return c
}

// check checks what goes with an event, and nothing else.
func (f requestDecision) check(event sinks.RequestEvent) error {
	switch {
	case event == sinks.RequestRefused && !slices.Contains(refusalCodes(), f.reason):
		return usageError{fmt.Errorf("--reason: %q is no code; use one of %s", f.reason, strings.Join(refusalCodes(), ", "))}
	case event == sinks.RequestRefused && !clauseFlagPattern.MatchString(f.clause):
		return usageError{fmt.Errorf("--clause: %q is not a clause; write the policy's clause such as C16", f.clause)}
	case event == sinks.RequestExtended && f.reason == "":
		return usageError{errors.New("--reason: say why, the person has to be told")}
	case event != sinks.RequestRefused && f.clause != "", event != sinks.RequestRefused && event != sinks.RequestExtended && f.reason != "", event != sinks.RequestExtended && f.until != "":
		return usageError{fmt.Errorf("--reason goes with a refusal or an extension, --clause with a refusal, --until with an extension; a request is to be %s", event)}
	}
	return nil
}

// noteDecision notes a decision about requests.
func (i *installation) noteDecision(ctx context.Context, event sinks.RequestEvent, f requestDecision, requests []string, now time.Time) ([]sinks.RequestNote, error) {
	if err := f.check(event); err != nil {
		return nil, err
	}
	if event == sinks.RequestRefused {
		if err := i.checkRefusal(ctx, f.reason, requests); err != nil {
			return nil, err
		}
	}
	var notes []sinks.RequestNote
	for _, text := range requests {
		id, err := parseRequest(text)
		if err != nil {
			return nil, err
		}
		n := sinks.RequestNote{Request: id, Event: event, At: now, Reason: f.reason, Clause: f.clause, By: orUser(f.by)}
		if event == sinks.RequestExtended {
			if n.Until, err = i.extension(ctx, id, f.until); err != nil {
				return nil, err
			}
		}
		notes = append(notes, n)
	}
	return notes, i.change(ctx, &jobs.RequestChange{Notes: notes}, now)
}

func (a *app) decide(ctx context.Context, event sinks.RequestEvent, f requestDecision, args []string) error {
	if err := f.check(event); err != nil {
		return err
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	now := time.Now().UTC().Truncate(time.Millisecond)
	notes, err := i.noteDecision(ctx, event, f, args, now)
	if err != nil {
		return err
	}
	var made []answered
	var failed error
	if event == sinks.RequestAccepted {
		made, failed = i.answerAccepted(ctx, notes)
	}
	shown, err := i.shownRequests(ctx, now, func(r *sinks.Request) bool {
		return slices.ContainsFunc(notes, func(n sinks.RequestNote) bool { return n.Request == r.ID })
	})
	if err != nil {
		return err
	}
	if a.output == "json" {
		return errors.Join(a.printJSON(shown), failed)
	}
	a.printRequests(shown)
	if failed = errors.Join(a.printAnswered(made), failed); failed != nil {
		return failed
	}
	if event == sinks.RequestExtended {
		a.say("tell the person, with the reason, before the first end (Article 12(3) GDPR)")
	}
	return nil
}

// answerAccepted carries out those of the requests that were accepted that are not for
// erasure, which 'lapse run subject' does with all others together.
func (i *installation) answerAccepted(ctx context.Context, notes []sinks.RequestNote) ([]answered, error) {
	var ids []sinks.ID
	for _, n := range notes {
		r, err := i.request(ctx, n.Request)
		if err != nil {
			return nil, err
		}
		if r.Right != sinks.RightErasure {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return i.answerNow(ctx, ids)
}

// extension returns the new end of the time for an answer.
func (i *installation) extension(ctx context.Context, id sinks.ID, until string) (time.Time, error) {
	r, err := i.request(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	due, paused := jobs.AnswerDue(i.policy, r)
	if paused {
		return time.Time{}, usageError{errors.New("the clock stands still until it is known who asks: there is nothing to extend")}
	}
	zone := i.policy.TimeZone.Location()
	longest := i.policy.RequestRule().Extension.After(due, zone)
	if until == "" {
		return longest, nil
	}
	at, err := parseMoment("--until", until, i.policy)
	switch {
	case err != nil:
		return at, err
	case !at.After(due):
		return at, usageError{fmt.Errorf("--until: the time ends at %s already", due.In(zone).Format(time.RFC3339))}
	case at.After(longest):
		return at, usageError{fmt.Errorf("--until: the policy lets it be extended to %s at most", longest.In(zone).Format(time.RFC3339))}
	}
	return at, nil
}
