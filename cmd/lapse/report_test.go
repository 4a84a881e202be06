package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestReportAgreesWithWhatWasDone lives through a month of a small company and compares
// the report with what is true of it.
func TestReportAgreesWithWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepEngine()
	w.must(jobCommand("ingest")...)
	before := w.officer("--as-of", expired)
	if len(before.Overdue()) == 0 || before.Overdue()[0].Seconds == 0 {
		t.Errorf("nothing is overdue in %+v", before.Rules)
	}
	w.must("run", "anonymise", "purge", "--as-of", expired)
	r := w.officer("--as-of", expired)
	if !r.Audit.Verified || r.Audit.Entries == 0 || r.Policy.Name.String() != "facesoft" || r.DPO.Name == "" {
		t.Errorf("%+v", r)
	}
	var done monthDone
	for _, m := range r.Done {
		done.Stored += m.Stored
		done.Anonymised += m.Anonymised
		done.Erased += m.Erased
		done.Items += m.Items
	}
	personal, held := uint64(0), uint64(0)
	for _, d := range r.Status.Datasets {
		personal += d.Personal
	}
	for _, m := range r.Held {
		for _, n := range m.Rows {
			held += n
		}
	}
	var stored uint64
	w.read("SELECT sum(stored) FROM lapse.sources FINAL", func(scan func(...any) error) error { return scan(&stored) })
	if done.Stored != stored || held != personal || done.Items != r.Status.Purged || done.Items == 0 {
		t.Errorf("done %+v; %d stored by the accounts of the input; %d rows held by month, %d in all; %d purged", done, stored, held, personal, r.Status.Purged)
	}
	// The quarantine and the notes of the register are no dataset's rows.
	var others uint64
	w.read("SELECT (SELECT sum(rows) FROM lapse.publications FINAL)", func(scan func(...any) error) error { return scan(&others) })
	if done.Anonymised != others {
		t.Errorf("%d rows anonymised by the audit log, %d by the publications", done.Anonymised, others)
	}
	w.must("report", "--html", "report.html", "--as-of", expired)
	w.checkPage("report.html")
}

// officer reads the report as data.
func (w *world) officer(args ...string) (r officerReport) {
	w.t.Helper()
	out, err := w.command(append([]string{"report", "--output", "json"}, args...)...).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

var drawing = regexp.MustCompile(`(?s)<svg.*?</svg>`)

// checkPage looks that a page needs nothing else, names nobody, and that its drawings
// are well-formed and stay within their frames.
func (w *world) checkPage(name string) {
	t := w.t
	t.Helper()
	raw, err := os.ReadFile(w.file(name))
	if err != nil {
		t.Fatal(err)
	}
	findIdentifiers(t, w.file(name), w.identifiers())
	page, err := html.Parse(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" || n.Data == "link" || n.Data == "img" || n.Data == "iframe" {
			t.Errorf("the page has a %s", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "href" || strings.Contains(a.Val, "url(") {
				t.Errorf("the page refers to %s", a.Val)
			}
		}
	}
	drawings := drawing.FindAllString(string(raw), -1)
	if len(drawings) < 2 {
		t.Errorf("%d drawings", len(drawings))
	}
	for _, d := range drawings {
		checkDrawing(t, d)
	}
}

func checkDrawing(t *testing.T, text string) {
	t.Helper()
	for in := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "rect" {
			continue
		}
		at := map[string]float64{}
		for _, a := range start.Attr {
			at[a.Name.Local], _ = strconv.ParseFloat(a.Value, 64)
		}
		if at["x"] < 0 || at["y"] < 0 || at["x"]+at["width"] > chartWidth+0.01 || at["y"]+at["height"] > plotTop+plotHeight+0.01 {
			t.Errorf("a bar lies outside: %v", at)
		}
	}
}

func TestReportSaysThatTheAuditLogDoesNotVerify(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.must("report", "--html", "empty.html") // before anything was done
	w.must("run", "purge")
	for _, p := range plantedFaults {
		if p.what == "audit log" {
			p.plant(w)
		}
	}
	code, _ := w.code("report", "--html", "report.html")
	raw, err := os.ReadFile(w.file("report.html"))
	if code != exitNotVerified || err != nil || !strings.Contains(string(raw), "does not verify") {
		t.Errorf("%d, %v", code, err)
	}
	if code, said := w.code("report"); code != exitUsage || !strings.Contains(said, "--html FILE") {
		t.Errorf("%d %s", code, said)
	}
}

// TestScalesAreRound also has charts of one month, whose bars keep to a sensible width.
func TestScalesAreRound(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]uint64{0: 2, 1: 2, 2: 2, 3: 4, 10: 10, 11: 20, 98: 100, 299_159: 400_000, 1_000_001: 2_000_000} {
		if got := rounded(n); got != want {
			t.Errorf("%d is shown on a scale up to %d, want %d", n, got, want)
		}
	}
	c := newChart("", []string{"2026-11"}, []barSeries{{"taken in", []uint64{300}}, {"erased", []uint64{0}}, {"anonymised", []uint64{7}}}, false)
	if len(c.Key) != 2 || len(c.Bars) != 2 || c.Bars[0].Width != widestBar || c.Bars[0].X+c.Bars[0].Width != c.Bars[1].X {
		t.Errorf("%+v", c)
	}
}
