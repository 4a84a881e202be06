package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printJSON writes v, for programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// tell says how a command ended: v for programs, a line for a person.
func (a *app) tell(v any, format string, args ...any) error {
	if a.output == "json" {
		return a.printJSON(v)
	}
	a.say(format, args...)
	return nil
}

// printTable writes rows under headings: a table on a terminal, tab-separated
// lines elsewhere.
func (a *app) printTable(headings []string, rows [][]any) {
	writeTable(a.out, headings, rows)
}

func writeTable(w io.Writer, headings []string, rows [][]any) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	var header table.Row
	var columns []table.ColumnConfig
	for i, h := range headings {
		header = append(header, h)
		if len(rows) > 0 && isNumber(rows[0][i]) {
			columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	if len(header) > 0 { // it has none where a table goes on
		t.AppendHeader(header)
	}
	for _, r := range rows {
		shown := make(table.Row, len(r))
		for i, v := range r {
			shown[i] = show(v)
		}
		t.AppendRow(shown)
	}
	if !onTerminal(w) {
		t.RenderTSV()
		return
	}
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Options.DrawBorder, style.Options.SeparateColumns = false, false
	t.SetStyle(style)
	t.SetColumnConfigs(columns)
	t.Render()
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, int64, uint64, byteCount:
		return true
	}
	return false
}

// byteCount is a number of bytes, shown in units.
type byteCount uint64

func show(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return "-"
		}
		return v.UTC().Format("2006-01-02 15:04")
	case int:
		return humanize.Comma(int64(v))
	case uint64:
		return humanize.Comma(int64(v))
	case byteCount:
		return humanize.IBytes(uint64(v))
	}
	return v
}

// say writes a line for a person.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format+"\n", args...)
}
