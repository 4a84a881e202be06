package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) trainingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "training",
		Short: "Work on the training register: what is kept to train models, why, and until when",
		Long: `The training register knows every object that models are trained on: which purposes
it serves, on whose consent it rests, who is to be seen. 'lapse run purge' deletes an
item, with all its versions and what was made from it, when the last of its purposes is
complete, consent is withdrawn or was never given, a child's lacks the consent it takes,
somebody is erased, or the item is older than the policy allows.

What is recorded here is a note: a line of JSON, as 'lapse run ingest' takes it too.
History is kept; of a purged item only a tombstone is.`,
		Example: `  lapse training register --key o1/2027/img-1.jpg --purpose face-detection --organisation o1 --consent
  lapse training register notes.ndjson
  lapse training add --key o1/2027/img-1.jpg --derivative crops/img-1.webp
  lapse training withdraw --subject u-4711
  lapse training complete face-detection
  lapse training list --output json
  lapse training withdrawn --since 2027-01-01`,
	}
	c.AddCommand(a.trainingRegisterCommand(), a.trainingAddCommand(), a.trainingCompleteCommand(), a.trainingOpenCommand(), a.trainingTrainedCommand(),
		a.trainingWithdrawCommand(), a.trainingGrantCommand(), a.trainingListCommand(), a.trainingShowCommand(), a.trainingRestoreCommand(),
		a.trainingWithdrawnCommand(), a.trainingCertificateCommand())
	return c
}

// trainingNote is a line that the training register is made from; see
// config.TrainingRecords.
type trainingNote struct {
	Type             string    `json:"type"`
	MessageID        string    `json:"messageId,omitempty"`
	At               time.Time `json:"at"`
	Bucket           string    `json:"bucket,omitempty"`
	Key              string    `json:"key,omitempty"`
	Organisation     string    `json:"organisation,omitempty"`
	Subject          string    `json:"subject,omitempty"`
	Subjects         []string  `json:"subjects,omitempty"`
	MediaType        string    `json:"media_type,omitempty"`
	Bytes            int64     `json:"bytes,omitempty"`
	SHA256           string    `json:"sha256,omitempty"`
	Purpose          string    `json:"purpose,omitempty"`
	Purposes         []string  `json:"purposes,omitempty"`
	Derivatives      []string  `json:"derivatives,omitempty"`
	Consent          bool      `json:"consent,omitempty"`
	ConsentReference string    `json:"consent_reference,omitempty"`
	ConsentBy        string    `json:"consent_by,omitempty"`
	Age              *int      `json:"age,omitempty"`
	Model            string    `json:"model,omitempty"`
	Decision         string    `json:"decision,omitempty"`
}

// The types of notes.
const (
	noteItem      = "training_item"
	noteAddition  = "training_addition"
	noteOpened    = "training_purpose_opened"
	noteCompleted = "training_purpose_completed"
	noteModel     = "training_model"
	noteConsent   = "training_consent"
)

// fault says what is wrong with a note, and how to mend it; it is empty if nothing is.
func (n *trainingNote) fault(s *config.Settings) string {
	known := slices.ContainsFunc(s.Buckets, func(b config.BucketSettings) bool { return b.Name == n.Bucket })
	switch {
	case n.At.IsZero():
		return "at: say when, as 2027-01-31T12:00:00Z"
	case (n.Type == noteItem || n.Type == noteAddition) && n.Key == "":
		return "key: name the object"
	case (n.Type == noteItem || n.Type == noteAddition) && !known:
		return "bucket: name one of the settings' buckets"
	case n.Type == noteItem && len(n.Purposes) == 0:
		return "purposes: name what it is kept for; without a purpose it is not kept"
	case n.Type == noteAddition && len(n.Derivatives)+len(n.Purposes) == 0:
		return "say what is added: derivatives, purposes"
	case n.Age != nil && (*n.Age < 0 || *n.Age > 150):
		return "age: give the youngest person's age in years"
	case !slices.Contains([]string{"", "self", "guardian"}, n.ConsentBy):
		return "consent_by: say self or guardian"
	case n.Type == noteConsent && !slices.Contains([]string{"granted", "withdrawn", "erased"}, n.Decision):
		return "decision: say granted, withdrawn or erased"
	case n.Type == noteConsent && n.Key == "" && n.Subject == "" && n.Organisation == "" && n.ConsentReference == "":
		return "say whose consent it is: key, subject, organisation or consent_reference"
	case slices.Contains([]string{noteOpened, noteCompleted, noteModel}, n.Type) && n.Purpose == "":
		return "purpose: name it"
	case n.Type == noteModel && n.Model == "":
		return "model: name it"
	case !slices.Contains([]string{noteItem, noteAddition, noteOpened, noteCompleted, noteModel, noteConsent}, n.Type):
		return "type: say training_item, training_addition, training_purpose_opened, training_purpose_completed, training_model or training_consent"
	}
	return ""
}

// longestNote is more than a note has, in bytes; ingest refuses longer lines, too.
const longestNote = 1 << 20

// copyNotes copies notes, one a line, and checks each before anything is stored. Name
// is what an error calls them.
func (a *app) copyNotes(out io.Writer, in io.Reader, name string) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestNote)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		line, fault := checkNote(a.settings, line)
		if fault != "" {
			return usageError{fmt.Errorf("%s:%d: %s", name, number, fault)}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return usageError{fmt.Errorf("%s: %w", name, err)}
	}
	return nil
}

// checkNote returns a note as ingest takes it, or what is wrong with it. No fault quotes
// it.
func checkNote(s *config.Settings, note []byte) (line []byte, fault string) {
	var n trainingNote
	if err := json.Unmarshal(note, &n); err != nil {
		return nil, withoutValue(err).Error()
	}
	if fault := n.fault(s); fault != "" {
		return nil, fault
	}
	if n.MessageID == "" { // so that it is recognised wherever it is said again
		return fmt.Appendf(nil, `{"messageId":%q,%s`, sinks.HashID(string(note)), note[1:]), ""
	}
	return note, ""
}

// withoutValue returns what is wrong with JSON, without quoting it.
func withoutValue(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s: has the wrong type; want %s", wrong.Field, wrong.Type)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("is not an object of JSON (at byte %d)", syntax.Offset)
	}
	return errors.New("at: is not a time such as 2027-01-31T12:00:00Z")
}

// noteLines returns notes as lines of JSON.
func noteLines(notes ...trainingNote) (io.Reader, error) {
	var b bytes.Buffer
	for _, n := range notes {
		raw, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		b.Write(append(raw, '\n'))
	}
	return &b, nil
}

// noted says what became of notes.
type noted struct {
	Stored    uint64 `json:"stored"`
	Duplicate uint64 `json:"duplicate"`
}

// takeNotes stores notes as ingest does, with its entries in the audit log. If it is
// interrupted the next ingest finds them.
func (a *app) takeNotes(ctx context.Context, i *installation, write func(io.Writer) error) (n noted, err error) {
	if i.policy.Training == nil {
		return n, usageError{errors.New("the policy has no rule for training: add the key training to it")}
	}
	if err := os.MkdirAll(i.stdinDir(), 0o700); err != nil {
		return n, fmt.Errorf("take notes: %w", err)
	}
	f, err := os.CreateTemp(i.stdinDir(), ".notes-") // hidden, so no other run takes half of it
	if err != nil {
		return n, fmt.Errorf("take notes: %w", err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(write(w), w.Flush(), f.Sync(), f.Close()); err != nil {
		return n, errors.Join(err, os.Remove(f.Name()))
	}
	path := filepath.Join(i.stdinDir(), sinks.NewID().String())
	if err := os.Rename(f.Name(), path); err != nil {
		return n, fmt.Errorf("take notes: %w", err)
	}
	if err := i.openLogOnce(ctx); err != nil {
		return n, err
	}
	job, err := i.ingest(ctx, []string{path}, nil)
	if err != nil {
		return n, err
	}
	job.Format = config.TrainingNotes
	now := time.Now()
	runner := i.runner(sinks.ActorOperator, nil)
	report, err := runner.Run(ctx, job, now)
	if err != nil {
		return n, err
	}
	counts := report.Counts()
	n.Stored += counts[sinks.CountStored]
	n.Duplicate += counts[sinks.CountDuplicate]
	lost := counts[sinks.CountQuarantined] + counts[sinks.CountRefused]
	if _, err := i.disposeAfter(ctx, runner, job, now); err != nil {
		return n, fmt.Errorf("take notes: %w", err)
	}
	if lost > 0 {
		return n, fmt.Errorf("%w: %d notes could not be stored; a time that lies ahead is the usual reason", errPartial, lost)
	}
	return n, nil
}

// note stores single notes and says so.
func (a *app) note(ctx context.Context, said string, make func(*installation) ([]trainingNote, error)) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	notes, err := make(i)
	if err != nil {
		return err
	}
	lines, err := noteLines(notes...)
	if err != nil {
		return err
	}
	n, err := a.takeNotes(ctx, i, func(w io.Writer) error { return a.copyNotes(w, lines, "the command line") })
	if err != nil {
		return err
	}
	if n.Stored == 0 {
		said = "nothing new: it is known already"
	}
	return a.tell(n, "%s", said)
}

// atFlag is when something happened that a note is about.
type atFlag string

func (f *atFlag) register(c *cobra.Command) {
	c.Flags().StringVar((*string)(f), "at", "", "when it happened: YYYY-MM-DD (UTC) or RFC 3339 (default: now)")
}

func (f *atFlag) time() (time.Time, error) {
	at, err := parseInstant("at", string(*f))
	if err != nil {
		return at, usageError{err}
	}
	if at.IsZero() {
		at = time.Now()
	}
	return at.UTC().Truncate(time.Millisecond), nil
}

// itemOf finds one item of the register, or its tombstone.
func (i *installation) itemOf(ctx context.Context, f sinks.TrainingFilter, asOf time.Time) (e sinks.TrainingEntry, err error) {
	found := false
	err = i.store.EachItem(ctx, asOf, jobs.TrainingCutoffs(i.policy, asOf), f, func(one sinks.TrainingEntry) error {
		e, found = one, true
		return nil
	})
	if err == nil && !found {
		err = usageError{errors.New("the register has no such item: 'lapse training list --state all' shows what it has")}
	}
	return e, err
}

// parseItem reads an item's id.
func parseItem(text string) (id sinks.ID, err error) {
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return id, usageError{fmt.Errorf("%q is not an item's id, 32 hexadecimal digits as 'lapse training list' shows them", text)}
	}
	return id, nil
}
