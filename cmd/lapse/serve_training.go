package main

import (
	"errors"
	"net/http"

	"github.com/facesoft/lapse/cmd/lapse/web"
)

// takesNotes reports whether there are write keys for notes about training items.
func (a *app) takesNotes() bool {
	return a.settings.Training.WriteKeys != "" || a.settings.Training.WriteKeysFile != ""
}

// trainingNotes adds what takes notes about training items to mux. Close it after the
// last request.
func (a *app) trainingNotes(mux *http.ServeMux) (closeSpool func() error, err error) {
	keys, err := writeKeysOf("training", a.settings.Training.WriteKeys, a.settings.Training.WriteKeysFile)
	if err != nil {
		return nil, usageError{err}
	}
	if a.collects() {
		collector, err := writeKeysOf("collector", a.settings.Collector.WriteKeys, a.settings.Collector.WriteKeysFile)
		if err != nil {
			return nil, usageError{err}
		}
		if keys.Share(collector) {
			return nil, usageError{errors.New("training notes and the collector have a write key in common: whoever reports events could speak for the training register; make another one with 'openssl rand -hex 16'")}
		}
	}
	notes, err := a.openSpool(a.settings.NotesDir())
	if err != nil {
		return nil, err
	}
	n := &web.Notes{
		Spool: notes, Keys: keys, Log: a.log,
		Limits: web.Limits{EventBytes: longestNote, BatchBytes: int(a.settings.Collector.MaxBatch)},
		Check:  func(note []byte) ([]byte, string) { return checkNote(a.settings, note) },
	}
	n.Register(mux)
	return notes.Close, nil
}
