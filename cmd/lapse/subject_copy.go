package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/exportfolder"
)

// copyFlags are those of `lapse subject access` and `portability`.
type copyFlags struct {
	requestFlags
	recipient string
}

func (a *app) subjectCopyCommand(right sinks.Right) *cobra.Command {
	var f copyFlags
	c := &cobra.Command{
		Use:   "access --subject COLUMN=VALUE",
		Short: "Give people a copy of what is held of them, with why, for how long, and from where",
		Long: `Makes a zip archive for each person: every dataset as JSON and CSV, consents, training
items, and a page that names the purposes, legal bases, windows, sources, recipients and
the data protection officer. It lies in the folder of exports (exports_dir) and is deleted
by 'lapse run subject' when its own window (requests.exports) has passed.

With --recipient it is encrypted to a key of the person's (https://age-encryption.org).`,
		Example: `  lapse subject access --subject user_id=u-17
  lapse subject access --subject email=ann@example.org --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  lapse subject access --subject user_id=u-17 --dry-run`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.copyFor(c.Context(), right, f) },
	}
	if right == sinks.RightPortability {
		c.Use = "portability --subject COLUMN=VALUE"
		c.Short = "Give people what they have provided, to take elsewhere"
		c.Long = `Makes the same archive as 'lapse subject access', with those columns only that rest on
consent or on a contract and that the person or their devices have provided (Article 20
GDPR).`
		c.Example = "  lapse subject portability --subject user_id=u-17"
	}
	f.register(c)
	c.Flags().StringVar(&f.recipient, "recipient", "", "encrypt to this age recipient, such as age1…")
	return c
}

// madeCopy is a copy that was made.
type madeCopy struct {
	File      string              `json:"file"`
	Encrypted bool                `json:"encrypted"`
	Deleted   time.Time           `json:"deleted_from"`
	Holds     *jobs.AccessSummary `json:"summary"`
}

func (a *app) copyFor(ctx context.Context, right sinks.Right, f copyFlags) error {
	var terms []sinks.Term
	if f.recipient != "" {
		if _, err := age.ParseRecipients(strings.NewReader(f.recipient)); err != nil {
			return usageError{errors.New("--recipient: is not an age recipient; 'age-keygen -y' prints one")}
		}
		terms = append(terms, sinks.Term{Name: sinks.TermRecipient, Value: f.recipient})
	}
	return a.handle(ctx, right, f.requestFlags, terms)
}

// handle enters a request for each person who is named, answers it, and says so. What
// fails half-way stays accepted, and 'lapse run subject' takes it up again.
func (a *app) handle(ctx context.Context, right sinks.Right, f requestFlags, terms []sinks.Term) error {
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
	if err := checkCategories(i.policy, (&sinks.Person{Terms: terms}).TermsOf(sinks.TermCategory)); err != nil {
		return usageError{fmt.Errorf("--category: %w", err)}
	}
	named, err := f.people(a.in, i.policy, right)
	if err != nil {
		return err
	}
	found, people, err := i.find(ctx, named, now)
	if err != nil {
		return err
	}
	if f.dryRun && a.output == "json" {
		return a.printJSON(found)
	}
	if a.output != "json" {
		a.printFound(found)
	}
	if f.dryRun {
		return nil
	}
	for n := range people {
		people[n].Terms = terms
	}
	requests := newRequests(right, people, received, now, f.pending, orUser(""))
	if err := i.change(ctx, &jobs.RequestChange{New: requests, People: people}, now); err != nil {
		return err
	}
	if f.pending {
		if a.output == "json" {
			return a.printJSON([]answered{})
		}
		a.say("%d requests wait until it is known who asks", len(requests))
		return nil
	}
	ids := make([]sinks.ID, len(requests))
	for n, r := range requests {
		ids[n] = r.ID
	}
	made, err := i.answerNow(ctx, ids)
	return errors.Join(a.printAnswered(made), err)
}

// printAnswered says what was done for people.
func (a *app) printAnswered(made []answered) error {
	if a.output == "json" {
		return a.printJSON(made)
	}
	for _, done := range made {
		a.say("%s", done.words)
	}
	return nil
}

// makeCopy makes the copy for one person.
func (i *installation) makeCopy(ctx context.Context, r *sinks.Request, person sinks.Person, recipients []age.Recipient) (*madeCopy, error) {
	exports, err := exportfolder.Open(i.settings.ExportsFolder())
	if err != nil {
		return nil, err
	}
	keys, err := i.consentKeys()
	if err != nil {
		return nil, err
	}
	suffix := ".zip"
	if recipients != nil {
		suffix = ".zip.age"
	}
	if _, err := exports.Delete(r.ID); err != nil { // what an interrupted run has left
		return nil, err
	}
	file, err := exports.Create(r.ID, suffix)
	if err != nil {
		return nil, err
	}
	defer file.Abandon() //nolint:errcheck // after Close there is nothing to be abandoned
	out, seal := io.Writer(file), func() error { return nil }
	if recipients != nil {
		encrypted, err := age.Encrypt(file, recipients...)
		if err != nil {
			return nil, fmt.Errorf("encrypt the copy: %w", err)
		}
		out, seal = encrypted, encrypted.Close
	}
	now := time.Now()
	job := &jobs.Access{
		Policy: i.policy, Tables: i.store, Rows: i.store, Consents: i.store, Keys: keys, Training: i.store, Program: "lapse " + version(),
	}
	summary, err := job.Write(ctx, out, r, person, now)
	if err != nil {
		return nil, err
	}
	if err := seal(); err != nil {
		return nil, fmt.Errorf("encrypt the copy: %w", err)
	}
	path, err := file.Close()
	if err != nil {
		return nil, err
	}
	until := i.policy.RequestRule().Exports.After(now, i.policy.TimeZone.Location())
	return &madeCopy{File: path, Encrypted: recipients != nil, Deleted: until.Truncate(time.Second), Holds: summary}, nil
}

// exports returns the copies that were made for people; nil if none ever was.
func (i *installation) exports() (sinks.Exports, error) {
	if _, err := os.Stat(i.settings.ExportsFolder()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return exportfolder.Open(i.settings.ExportsFolder())
}
