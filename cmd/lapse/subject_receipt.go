package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// receiptFormat is the version of a receipt's JSON.
const receiptFormat = 1

// receipt says what became of a request, stage by stage, and proves it by entries of the
// audit log. It can be sent to the person, and names nobody.
type receipt struct {
	Format     int             `json:"receipt_of_request"`
	Issued     time.Time       `json:"issued"` // UTC
	Program    string          `json:"program"`
	Controller config.Party    `json:"controller"`
	DPO        config.Party    `json:"data_protection_officer"`
	Policy     sinks.PolicyRef `json:"policy"` // that was carried out
	Log        string          `json:"log"`    // name of the audit log
	Keys       []string        `json:"keys"`   // its public keys; compare them with those you were given
	Request    sinks.ID        `json:"request"`
	Right      sinks.Right     `json:"right"`
	Received   time.Time       `json:"received"`
	Due        time.Time       `json:"due,omitzero"`
	State      string          `json:"state"`
	Refusal    string          `json:"refusal,omitempty"` // code of the reason, and the clause
	Stages     []receiptStage  `json:"stages"`
	Entries    []receiptEntry  `json:"entries"`
}

// receiptStage is how far the request got. Expected says that its time lies ahead, or
// follows from the policy and not from an entry.
type receiptStage struct {
	Stage    sinks.Stage `json:"stage"`
	Time     time.Time   `json:"time"`
	Expected bool        `json:"expected,omitempty"`
}

// receiptEntry is an entry of the audit log about the request. What its proof shows is
// all of it.
type receiptEntry struct {
	Action sinks.Action           `json:"action"`
	Time   time.Time              `json:"time"`
	Result sinks.Result           `json:"result"`
	Counts map[sinks.Count]uint64 `json:"counts,omitempty"`
	Stages []sinks.StageTime      `json:"stages,omitempty"`
	Entry  string                 `json:"entry"` // its place in the audit log
	Proof  string                 `json:"proof"` // https://c2sp.org/tlog-proof, for 'lapse audit check'
}

//go:embed subject_receipt.html.tmpl
var receiptText string

var receiptPage = template.Must(template.New("").Funcs(template.FuncMap{"show": show, "words": wordsOf}).Parse(receiptText))

func (a *app) subjectReceiptCommand() *cobra.Command {
	var asPage bool
	var file string
	c := &cobra.Command{
		Use:   "receipt ID",
		Short: "Say what became of a request, stage by stage, with proofs that anyone can check offline",
		Long: `Writes a receipt: when the request was received and answered, and of an erasure when what
was held was hidden, removed, physically gone, gone with all versions, and when it will
be gone from backups (requests.backups of the policy), each with a proof that the audit
log says so. It names the data protection officer, and nobody else.

As JSON (--output json), as a page for the person (--html), or in short. 'lapse audit
check FILE' checks either offline, with the log's public key alone.`,
		Example: `  lapse subject receipt 5f0c6dd1a3a84e16b8f0a1c2d3e4f506 --html --to-file receipt.html
  lapse audit check receipt.html --key audit.key.pub`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseRequest(args[0])
			if err != nil {
				return err
			}
			r, err := a.receiptOf(c.Context(), id)
			if err != nil {
				return err
			}
			return a.writeReceipt(r, asPage, file)
		},
	}
	c.Flags().BoolVar(&asPage, "html", false, "as a page for people, with the same content for programs in it")
	c.Flags().StringVar(&file, "to-file", "", "write it to this file")
	return c
}

// receiptOf makes the receipt of a request.
func (a *app) receiptOf(ctx context.Context, id sinks.ID) (*receipt, error) {
	i, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	request, err := i.request(ctx, id)
	if err != nil {
		return nil, err
	}
	files, report, err := a.verified(ctx, auditFlags{}, nil)
	if err != nil {
		return nil, err
	}
	key, err := auditlog.ParseVerifier(report.Keys[0])
	if err != nil {
		return nil, err
	}
	shown := showRequest(i, request, time.Now())
	r := &receipt{
		Format: receiptFormat, Issued: time.Now().UTC().Truncate(time.Second), Program: "lapse " + version(), Log: key.Name(), Keys: report.Keys,
		Controller: i.policy.Controller, DPO: i.policy.DPO, Request: id, Right: request.Right, Received: request.Received, Due: shown.Due,
		State: string(request.State()), Stages: []receiptStage{},
	}
	if last := request.History[len(request.History)-1]; last.Event == sinks.RequestRefused {
		r.Refusal = last.Reason + ", " + last.Clause
	}
	for record, err := range auditlog.Entries(ctx, files, auditlog.Filter{}) {
		if err != nil {
			return nil, err
		}
		e := record.Entry
		if e.Item != id || e.Phase != sinks.Outcome || e.Result != sinks.ResultDone {
			continue
		}
		proof, err := auditlog.Prove(ctx, files, record.Position)
		if err != nil {
			return nil, err
		}
		r.Policy = e.Policy
		r.Entries = append(r.Entries, receiptEntry{e.Action, e.Time, e.Result, e.Counts, e.Stages, record.Position.String(), string(proof)})
	}
	if len(r.Entries) == 0 {
		return nil, usageError{errors.New("the audit log knows nothing of this request")}
	}
	r.Stages = r.stages()
	if n := len(r.Stages); n > 0 && !i.policy.RequestRule().Backups.IsZero() {
		removed := r.Stages[n-1].Time
		r.Stages = append(r.Stages, receiptStage{sinks.StageBackupsAged, i.policy.RequestRule().Backups.After(removed, i.policy.TimeZone.Location()), true})
	}
	return r, nil
}

// stages adds up the stages of an erasure's entries. That the versions of training items
// are gone follows from the answer, which waits for their tombstones, if there were items.
func (r *receipt) stages() (stages []receiptStage) {
	items := uint64(0)
	for _, e := range r.Entries {
		if e.Action == sinks.ActionEnterErasure {
			items += e.Counts[sinks.CountObjects]
		}
		if e.Action != sinks.ActionAnswerRequest {
			continue
		}
		for _, s := range e.Stages {
			stages = append(stages, receiptStage{Stage: s.Stage, Time: s.Time})
			if s.Stage == sinks.StageGone && items > 0 {
				stages = append(stages, receiptStage{Stage: sinks.StageVersionsGone, Time: s.Time})
			}
		}
	}
	return stages
}

// writeReceipt writes a receipt as it was asked for.
func (a *app) writeReceipt(r *receipt, asPage bool, file string) error {
	write := func(out io.Writer) error {
		switch {
		case asPage:
			return receiptPage.Execute(out, r)
		case a.output == "json":
			return (&app{out: out}).printJSON(r)
		}
		(&app{out: out}).printReceipt(r)
		return nil
	}
	if file == "" {
		return write(a.out)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return usageError{fmt.Errorf("--to-file: %w", err)}
	}
	if err := errors.Join(write(out), out.Close()); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}

func (a *app) printReceipt(r *receipt) {
	a.say("%s, %s; data protection officer: %s", r.Right, wordsOf(r.State), r.DPO.Name)
	var rows [][]any
	for _, s := range r.Stages {
		how := ""
		if s.Expected {
			how = "by the policy's window for backups"
		}
		rows = append(rows, []any{wordsOf(s.Stage), s.Time, how})
	}
	if len(rows) > 0 {
		a.printTable([]string{"stage", "at (UTC)", ""}, rows)
	}
	rows = nil
	for _, e := range r.Entries {
		rows = append(rows, []any{wordsOf(e.Action), e.Time, e.Entry})
	}
	a.say("")
	a.printTable([]string{"what was done", "at (UTC)", "audit entry"}, rows)
	a.say("\nproofs are in the receipt as JSON or as a page: --output json, --html")
}

// The marks between which a page holds the receipt for programs.
var receiptBegins = []byte(`<script type="application/json" id="receipt">`)

// findReceipt returns the receipt in a file, which is the file itself or in a page; nil
// if there is none.
func findReceipt(content []byte) []byte {
	if _, rest, ok := bytes.Cut(content, receiptBegins); ok {
		inner, _, _ := bytes.Cut(rest, certificateEnds)
		return inner
	}
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) && bytes.Contains(content, []byte(`"receipt_of_request"`)) {
		return content
	}
	return nil
}

// checkReceipt holds a receipt against its proofs.
func checkReceipt(raw []byte, keys []note.Verifier) (*receipt, error) {
	var r receipt
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	if err := in.Decode(&r); err != nil {
		return nil, fmt.Errorf("is not a receipt: %w", err)
	}
	if r.Format != receiptFormat {
		return nil, fmt.Errorf("has format %d; this program reads %d", r.Format, receiptFormat)
	}
	if len(r.Entries) == 0 {
		return nil, errors.New("proves nothing")
	}
	for _, entry := range r.Entries {
		proved, err := auditlog.CheckProof([]byte(entry.Proof), keys...)
		if err != nil {
			return nil, fmt.Errorf("does not prove entry %s: %w", entry.Entry, err)
		}
		e := proved.Entry
		for what, same := range map[string]bool{
			"the request":       e.Item == r.Request,
			"what was done":     e.Action == entry.Action && e.Phase == sinks.Outcome && e.Result == entry.Result,
			"the times":         e.Time.Equal(entry.Time) && slices.Equal(e.Stages, entry.Stages),
			"the counts":        maps.Equal(e.Counts, entry.Counts),
			"the place":         proved.Position.String() == entry.Entry,
			"the policy's name": e.Policy.Name == r.Policy.Name,
		} {
			if !same {
				return nil, fmt.Errorf("says of entry %s what the log does not: %s", entry.Entry, what)
			}
		}
	}
	stages := slices.DeleteFunc(slices.Clone(r.Stages), func(s receiptStage) bool { return s.Expected })
	if !slices.Equal(stages, r.stages()) {
		return nil, errors.New("has stages that are not those of its entries")
	}
	return &r, nil
}

// printCheckedReceipt says what a receipt has been found to prove.
func (a *app) printCheckedReceipt(r *receipt) error {
	return a.tell(map[string]any{"proved": true, "request": r.Request, "right": r.Right, "state": r.State, "entries": len(r.Entries)},
		"proved: request %s (%s), %d entries of the audit log", r.Request, r.Right, len(r.Entries))
}
