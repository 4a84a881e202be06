package jobs

import (
	"archive/zip"
	"bufio"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Access makes the copy of what is held of a person (Articles 15 and 20 GDPR): a zip
// archive with a page for the person, and each dataset as JSON and as CSV. Rows are
// written as they are read, so its memory does not grow with them.
type Access struct {
	Policy   *config.Policy
	Tables   sinks.PeopleTables
	Rows     sinks.PersonExport
	Consents sinks.ConsentLedger
	Keys     *SubjectKeys // of the consent ledger
	Training sinks.TrainingListing
	Program  string
}

// AccessSummary is what a copy holds, in its summary.json and on its page.
type AccessSummary struct {
	Right      sinks.Right       `json:"right"`
	Request    sinks.ID          `json:"request"`
	Received   time.Time         `json:"received"`
	Made       time.Time         `json:"made"`
	Program    string            `json:"program"`
	Policy     string            `json:"policy"`
	Source     string            `json:"policy_published_at,omitempty"`
	Controller config.Party      `json:"controller"`
	DPO        config.Party      `json:"data_protection_officer"`
	Known      []string          `json:"identifiers"` // by which the person was found: the columns
	Datasets   []AccessDataset   `json:"datasets"`
	Consents   uint64            `json:"consent_decisions"`
	Items      uint64            `json:"training_items"`
	Recipients []AccessRecipient `json:"recipients"`
	Regions    []string          `json:"regions"`
	Safeguards []string          `json:"safeguards,omitempty"`
	// Decisions are what is inferred or decided about people by machines alone.
	Decisions []Decision `json:"automated_decisions"`
}

// AccessDataset is what there is in one dataset, and why.
type AccessDataset struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Clause      string          `json:"clause"`
	Source      string          `json:"source"`
	Rows        uint64          `json:"rows"`
	Kept        []string        `json:"kept"`
	Purposes    []AccessPurpose `json:"purposes"`
	Columns     []AccessColumn  `json:"columns"`
}

// AccessPurpose is why data are held.
type AccessPurpose struct {
	Description string   `json:"description"`
	LegalBases  []string `json:"legal_bases"`
}

// AccessColumn explains a column of the files.
type AccessColumn struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// AccessRecipient is a class of recipients.
type AccessRecipient struct {
	Description string `json:"description"`
	Clause      string `json:"clause"`
}

//go:embed access.html.tmpl
var accessText string

var accessPage = template.Must(template.New("").Funcs(template.FuncMap{
	"day":  func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"join": strings.Join,
}).Parse(accessText))

// Write writes the copy for a person and returns what it holds. Of a request for
// portability it takes what rests on consent or on a contract, and what the person or
// their devices have provided; what was derived from that is not part of it.
func (j *Access) Write(ctx context.Context, out io.Writer, request *sinks.Request, person sinks.Person, now time.Time) (*AccessSummary, error) {
	archive := zip.NewWriter(out)
	s := j.summary(request, person, now)
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		columns := j.columns(d, request.Right)
		if len(d.Subject) == 0 || len(columns) == 0 {
			continue
		}
		a := j.dataset(d, columns)
		var err error
		if a.Rows, err = j.writeRows(ctx, archive, d.Name, person, columns); err != nil {
			return nil, err
		}
		s.Datasets = append(s.Datasets, a)
	}
	if err := j.writeConsents(ctx, archive, person, s); err != nil {
		return nil, err
	}
	if request.Right == sinks.RightAccess || j.Policy.Training != nil && j.Policy.RestsOn(j.Policy.Training.Purposes, config.Consent, config.Contract) {
		if err := j.writeItems(ctx, archive, person, now, s); err != nil {
			return nil, err
		}
	}
	if err := writeSummary(archive, s); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("write the copy: %w", err)
	}
	return s, nil
}

// summary says whose copy it is and under which policy it is made.
func (j *Access) summary(request *sinks.Request, person sinks.Person, now time.Time) *AccessSummary {
	p := j.Policy
	s := &AccessSummary{
		Right: request.Right, Request: request.ID, Received: request.Received, Made: now.UTC().Truncate(time.Second), Program: j.Program,
		Policy: p.Name + " " + p.Version, Source: p.Source, Controller: p.Controller, DPO: p.DPO, Datasets: []AccessDataset{}, Recipients: []AccessRecipient{},
		Regions: p.Regions.Allowed, Safeguards: p.Regions.Safeguards,
		Decisions: Decisions(p),
	}
	for _, i := range person.Identifiers {
		if !slices.Contains(s.Known, i.Column) {
			s.Known = append(s.Known, i.Column)
		}
	}
	for _, r := range p.Recipients {
		s.Recipients = append(s.Recipients, AccessRecipient{r.Description, r.Clause})
	}
	return s
}

// columns returns what a request is to be given of a dataset.
func (j *Access) columns(d *config.Dataset, right sinks.Right) (names []string) {
	for i := range d.Columns {
		c := &d.Columns[i]
		provided := c.Derive == config.DeriveNone || c.Derive == config.DeriveEventTime
		if right != sinks.RightPortability || provided && j.Policy.RestsOn(d.PurposesOf(c), config.Consent, config.Contract) {
			names = append(names, c.Name)
		}
	}
	return names
}

// sources say where records come from.
var sources = map[config.InputFormat]string{
	config.Segment: "your devices, and the systems of your organisation, while you use the platform",
	config.WebLog:  "the logs of our web servers",
}

// dataset explains a dataset.
func (j *Access) dataset(d *config.Dataset, columns []string) AccessDataset {
	a := AccessDataset{Name: d.Name, Description: d.Description, Clause: d.Clause, Source: sources[d.Input.Format]}
	for _, w := range d.Retention {
		then := "erased"
		if w.Action == config.Anonymise {
			then = "anonymised"
		}
		a.Kept = append(a.Kept, fmt.Sprintf("%s from %s, then %s (%s)", w.Keep, strings.ReplaceAll(string(w.Trigger), "_", " "), then, w.Clause))
	}
	var purposes []string
	for _, name := range columns {
		c, _ := d.Column(name)
		words := c.Description
		if words == "" {
			words, _ = j.Policy.FieldDescription(c.Field)
		}
		a.Columns = append(a.Columns, AccessColumn{c.Name, words})
		for _, u := range d.PurposesOf(c) {
			if !slices.Contains(purposes, u) {
				purposes = append(purposes, u)
			}
		}
	}
	for _, u := range j.Policy.Purposes {
		if slices.Contains(purposes, u.ID) {
			a.Purposes = append(a.Purposes, AccessPurpose{u.Description, basesInWords(u.LegalBases)})
		}
	}
	return a
}

func basesInWords(bases []config.LegalBasis) (words []string) {
	for _, b := range bases {
		text := strings.ReplaceAll(string(b.Basis), "_", " ")
		if b.Interest != "" {
			text += " " + b.Interest
		}
		if b.When != "" {
			text += ", when " + b.When
		}
		words = append(words, text)
	}
	return words
}

// writeRows writes a dataset as JSON and as CSV.
func (j *Access) writeRows(ctx context.Context, archive *zip.Writer, dataset string, person sinks.Person, columns []string) (rows uint64, err error) {
	err = inArchive(archive, dataset+".json", func(w *bufio.Writer) error {
		between := "[\n"
		err := j.Rows.EachPersonRow(ctx, dataset, person, columns, sinks.RowsAsJSON, func(row string) error {
			rows++
			_, err := w.WriteString(between + row)
			between = ",\n"
			return err
		})
		if rows == 0 {
			_, _ = w.WriteString("[") // its error comes with that of Flush
		}
		_, _ = w.WriteString("\n]\n")
		return err
	})
	if err != nil {
		return 0, err
	}
	return rows, inArchive(archive, dataset+".csv", func(w *bufio.Writer) error {
		_, _ = w.WriteString(strings.Join(columns, ",") + "\n")
		return j.Rows.EachPersonRow(ctx, dataset, person, columns, sinks.RowsAsCSV, func(row string) error {
			_, err := w.WriteString(row + "\n")
			return err
		})
	})
}

// inArchive writes a file of the archive.
func inArchive(archive *zip.Writer, name string, write func(*bufio.Writer) error) error {
	file, err := archive.Create(name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	w := bufio.NewWriterSize(file, 64<<10)
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// givenConsent is a decision as the person is told.
type givenConsent struct {
	Category string    `json:"category"`
	Granted  bool      `json:"granted"`
	At       time.Time `json:"at"`
	Origin   string    `json:"origin"`
}

func (j *Access) writeConsents(ctx context.Context, archive *zip.Writer, person sinks.Person, s *AccessSummary) error {
	var keys []sinks.SubjectKey
	for _, i := range person.Identifiers {
		keys = append(keys, j.Keys.Of(i.Column, []byte(i.Text)))
	}
	decisions, err := j.Consents.ConsentsOf(ctx, keys)
	if err != nil {
		return err
	}
	list := make([]givenConsent, len(decisions))
	rows := [][]string{{"category", "granted", "at", "origin"}}
	for i, d := range decisions {
		list[i] = givenConsent{d.Category, d.Granted, d.At, string(d.Origin)}
		rows = append(rows, []string{d.Category, fmt.Sprint(d.Granted), d.At.Format(time.RFC3339), string(d.Origin)})
	}
	s.Consents = uint64(len(list))
	if err := inArchive(archive, "consents.json", func(w *bufio.Writer) error { return indented(w, list) }); err != nil {
		return err
	}
	return inArchive(archive, "consents.csv", func(w *bufio.Writer) error { return csv.NewWriter(w).WriteAll(rows) })
}

// givenItem is a training item as the person is told.
type givenItem struct {
	Key      string              `json:"key"`
	State    sinks.TrainingState `json:"state"`
	Uploaded time.Time           `json:"uploaded"`
	Uploader string              `json:"uploaded_by_organisation,omitempty"`
	Purposes []string            `json:"purposes"`
	Bytes    uint64              `json:"bytes"`
	Made     []string            `json:"derivatives,omitempty"`
}

// writeItems writes the training items that show the person, line by line: the
// register is read as it streams by.
func (j *Access) writeItems(ctx context.Context, archive *zip.Writer, person sinks.Person, now time.Time, s *AccessSummary) error {
	if j.Policy.Training == nil {
		return nil
	}
	return inArchive(archive, "training_items.ndjson", func(w *bufio.Writer) error {
		out := json.NewEncoder(w)
		return j.Training.EachItem(ctx, now, TrainingCutoffs(j.Policy, now), sinks.TrainingFilter{}, func(e sinks.TrainingEntry) error {
			if !slices.ContainsFunc(person.Identifiers, func(i sinks.Identifier) bool { return slices.Contains(e.Subjects, i.Text) }) {
				return nil
			}
			s.Items++
			return out.Encode(givenItem{e.Key, e.State, e.Uploaded, e.Organisation, e.Purposes, e.Bytes, e.Derivatives})
		})
	})
}

func writeSummary(archive *zip.Writer, s *AccessSummary) error {
	if err := inArchive(archive, "summary.json", func(w *bufio.Writer) error { return indented(w, s) }); err != nil {
		return err
	}
	return inArchive(archive, "index.html", func(w *bufio.Writer) error { return accessPage.Execute(w, s) })
}

func indented(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
