package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) subjectEraseCommand() *cobra.Command {
	var f requestFlags
	var later bool
	var organisations []string
	c := &cobra.Command{
		Use:   "erase --subject COLUMN=VALUE",
		Short: "Erase people: what is held of them goes, and nothing of theirs comes back",
		Long: `Enters a request for erasure for each person and carries it out: rows in all datasets,
unreadable records that name the person, and training items through the register's rule
(erasure), which 'lapse run purge' carries out. The erasure ledger refuses what arrives
late or is read again; what the person sends after signing up anew is kept.

What is under a legal hold stays, and the request stays open: the run of 'lapse run
subject' after the hold's end goes on by itself. Anonymised tables stay as they are.

With --organisation what is held of an organisation goes: records that name it, in every
dataset, training items that it uploaded, and everything of the people who are known by it
and by no other. Who is tied to others, too, loses only the records that name it.`,
		Example: `  lapse subject erase --subject user_id=u-17 --dry-run
  lapse subject erase --subject email=ann@example.org --received 2026-03-02 --yes
  lapse subject erase --subjects-file - --yes --output json < people.txt
  lapse subject erase --organisation acme --dry-run
  lapse subject erase --subject user_id=u-17 --identity-pending`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.erasePeople(c.Context(), f, organisations, later) },
	}
	f.register(c)
	c.Flags().StringArrayVar(&organisations, "organisation", nil, "an organisation, as the records have it; can be repeated, and stand in the file as COLUMN=VALUE")
	c.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	c.Flags().BoolVar(&later, "later", false, "accept the requests, and leave carrying them out to 'lapse run subject'")
	return c
}

// erased is what an erasure reports.
type erased struct {
	*foundPeople
	Run      *jobs.Report   `json:"run,omitempty"`
	Requests []shownRequest `json:"requests"`
}

func (a *app) erasePeople(ctx context.Context, f requestFlags, organisations []string, later bool) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	now := time.Now().UTC().Truncate(time.Millisecond)
	received, err := f.receivedAt(i, now)
	if err != nil {
		return err
	}
	named, err := a.namedForErasure(i.policy, f, organisations)
	if err != nil {
		return err
	}
	found, people, err := i.find(ctx, named, now)
	if err != nil {
		return err
	}
	if a.output != "json" {
		a.printFound(found)
	}
	if f.dryRun {
		if a.output == "json" {
			return a.printJSON(found)
		}
		return nil
	}
	if !f.yes && !f.pending {
		if err := a.confirm(f, eraseQuestion(i.policy, named)); err != nil {
			return err
		}
	}
	requests := newRequests(sinks.RightErasure, people, received, now, f.pending, orUser(""))
	if err := i.change(ctx, &jobs.RequestChange{New: requests, People: people}, now); err != nil {
		return err
	}
	result := &erased{foundPeople: found}
	var failed error
	if !f.pending && !later {
		m := newMeter(a.errors, a.log, a.output == "json")
		result.Run, failed = i.carryOut(ctx, time.Now(), m)
		m.stop()
		if result.Run != nil {
			failed = verdict(result.Run, failed)
		}
	}
	return errors.Join(a.reportErased(ctx, i, result, requests), failed)
}

// reportErased says what has become of new requests.
func (a *app) reportErased(ctx context.Context, i *installation, result *erased, requests []sinks.Request) error {
	shown, err := i.shownRequests(ctx, time.Now(), func(r *sinks.Request) bool {
		for _, n := range requests {
			if n.ID == r.ID {
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	result.Requests = shown
	if a.output == "json" {
		return a.printJSON(result)
	}
	a.say("")
	a.printRequests(shown[:min(len(shown), peopleShown)])
	if len(shown) > peopleShown {
		a.say("and %d more requests", len(shown)-peopleShown)
	}
	return nil
}

// confirm asks a person; where nobody can be asked, it says how to go on.
func (a *app) confirm(f requestFlags, question string) error {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || f.file == standardInput {
		return usageError{errors.New("nothing was done: look at what was found, and repeat the command with --yes")}
	}
	_, _ = fmt.Fprintf(a.errors, "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return usageError{errors.New("nothing was done")}
	}
	return nil
}
