package web

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/facesoft/lapse/sinks"
)

// Notes takes notes about training items over HTTP into a spool of their own: what is
// sent to the collector cannot speak for the training register.
type Notes struct {
	Spool  sinks.Spool
	Keys   *WriteKeys // other ones than the collector's
	Limits Limits     // those of an event are a note's
	// Check returns a note as a line for the spool, without its line break; or what is
	// wrong with it, without anything of its values.
	Check func(note []byte) (line []byte, fault string)
	Log   *slog.Logger

	memory *semaphore.Weighted
}

// notesMedia are the media types of one note, and of notes, one a line.
const (
	mediaNote  = "application/json"
	mediaNotes = "application/x-ndjson"
)

// Register adds the path of notes to mux.
func (n *Notes) Register(mux *http.ServeMux) {
	n.memory = semaphore.NewWeighted(memoryBytes)
	mux.HandleFunc("/v1/training", func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		status := http.StatusOK
		notes, no := n.take(w, r)
		if no == nil {
			write(w, status, outcome{Success: true})
		} else {
			status = no.status
			decline(w, no)
		}
		n.Log.Debug("request", "path", r.Pattern, "status", status, "notes", notes, "ms", float64(time.Since(begin).Microseconds())/1000)
	})
}

// take takes one request and returns how many notes it brought, or why none of them is
// taken.
func (n *Notes) take(w http.ResponseWriter, r *http.Request) (int, *refusal) {
	if r.Method != http.MethodPost {
		return 0, &refusal{status: http.StatusMethodNotAllowed, index: -1, text: "use POST"}
	}
	if !n.Keys.allow(r) {
		return 0, &refusal{status: http.StatusUnauthorized, index: -1, text: "show a write key for training notes as the user of basic authentication"}
	}
	if no := acceptable(r, n.Limits, mediaNote, mediaNotes); no != nil {
		return 0, no
	}
	ctx, cancel := context.WithTimeout(r.Context(), memoryWait)
	defer cancel()
	share := min(4*int64(n.Limits.BatchBytes), memoryBytes) // the body, its lines, and what is noted of one
	if n.memory.Acquire(ctx, share) != nil {
		return 0, tooMany()
	}
	defer n.memory.Release(share)
	var body bytes.Buffer
	if no := readBody(w, r, &body, n.Limits); no != nil {
		return 0, no
	}
	lines, count, no := n.lines(body.Bytes(), mediaOf(r) == mediaNote)
	if no != nil {
		return 0, no
	}
	return count, keep(r.Context(), n.Spool, n.Log, lines)
}

// lines turns a body into lines for the spool and counts them.
func (n *Notes) lines(body []byte, single bool) (lines []byte, count int, no *refusal) {
	notes := bytes.Lines(body)
	if single {
		var one bytes.Buffer
		if json.Compact(&one, body) != nil {
			return nil, 0, &refusal{status: http.StatusBadRequest, index: 0, text: "is not an object of JSON"}
		}
		notes = bytes.Lines(one.Bytes())
	}
	index := -1
	for note := range notes {
		index++
		if note = bytes.TrimSpace(note); len(note) == 0 {
			continue
		}
		if len(note) > n.Limits.EventBytes {
			return nil, 0, &refusal{status: http.StatusRequestEntityTooLarge, index: index, text: "the note is too large"}
		}
		line, fault := n.Check(note)
		if fault != "" {
			return nil, 0, &refusal{status: http.StatusBadRequest, index: index, text: fault}
		}
		lines = append(append(lines, line...), '\n')
		count++
	}
	if count == 0 {
		return nil, 0, &refusal{status: http.StatusBadRequest, index: -1, text: "there is no note in the body"}
	}
	return lines, count, nil
}
