package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// programs are what the scripts run: the program itself, and beside it
//
//	exits CODE COMMAND...        runs a command that must end with an exit code
//	appendlog FOLDER KEY N TIME  appends N entries to an audit log, as written at a time
//	flip FILE                    flips a bit in the middle of a file
//	shelf FILE                   serves what is PUT there, once; its address goes into a file
//	await FILE                   waits for a file
//	idof FILE                    prints the item's id of a line of JSON
//	runof FILE                   prints the run's id of a JSON object
//	unpack PATTERN FOLDER        unpacks the zip archive that a pattern names
var programs = map[string]func(){
	"lapse":     main,
	"exits":     program(runExits),
	"appendlog": program(runAppendLog),
	"flip":      program(runFlip),
	"shelf":     program(runShelf),
	"await":     program(runAwait),
	"idof":      program(func(args []string) error { return runMember("item", args) }),
	"unpack":    program(runUnpack),
	"runof":     program(func(args []string) error { return runMember("run", args) }),
}

func program(run func(args []string) error) func() {
	return func() {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func runExits(args []string) error {
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := c.Run()
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return err
	}
	if args[0] != strconv.Itoa(code) {
		return fmt.Errorf("%s ended with exit code %d, want %s", args[1], code, args[0])
	}
	return nil
}

// runAppendLog writes a run of one step after the other: intents on events and
// accounts, each with its outcome.
func runAppendLog(args []string) error {
	ctx := context.Background()
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, args[3])
	if err != nil {
		return err
	}
	key, err := auditlog.LoadKey(args[1])
	if err != nil {
		return err
	}
	folder, err := auditlog.OpenFolder(args[0])
	if err != nil {
		return err
	}
	log, err := auditlog.Open(ctx, folder, key, func() time.Time { return at })
	if err != nil {
		return err
	}
	var entries []*sinks.Entry
	for i := range n {
		e := &sinks.Entry{
			Action: sinks.ActionAnonymise, Actor: sinks.ActorScheduler, AsOf: at, Dataset: sinks.MustName("events"), Job: sinks.JobAnonymise,
			Phase: sinks.Intent, Run: sinks.ID{byte(1 + i/100)}, Step: sinks.ID{1, byte(i >> 9), byte(i >> 1)},
			Policy: sinks.PolicyRef{Name: sinks.MustName("facesoft"), Version: sinks.MustName("1")},
		}
		if i%4 >= 2 {
			e.Action, e.Dataset, e.Job = sinks.ActionEraseSubjects, sinks.MustName("accounts"), sinks.JobPurge
		}
		if i%2 == 1 {
			e.Phase, e.Result, e.Counts = sinks.Outcome, sinks.ResultDone, map[sinks.Count]uint64{sinks.CountBefore: uint64(i)}
		}
		entries = append(entries, e)
	}
	return errors.Join(log.Append(ctx, entries...), log.Close())
}

func runFlip(args []string) error {
	b, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(args[0], b, 0o600)
}

// runShelf is a place that a witness keeps: what is PUT there stays as it is.
func runShelf(args []string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[0]+".new", []byte("http://"+listener.Addr().String()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(args[0]+".new", args[0]); err != nil {
		return err
	}
	var mu sync.Mutex
	kept := map[string][]byte{}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		have, ok := kept[r.URL.Path]
		switch {
		case r.Method == http.MethodGet && ok:
			_, _ = w.Write(have)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusNotFound)
		case ok && r.Header.Get("If-None-Match") == "*":
			w.WriteHeader(http.StatusPreconditionFailed)
		default:
			kept[r.URL.Path], _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusCreated)
		}
	}))
}

func runAwait(args []string) error {
	for range 1000 {
		if _, err := os.Stat(args[0]); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s did not appear", args[0])
}

// runMember prints an id in the JSON object of a file.
func runMember(name string, args []string) error {
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	fmt.Println(object[name])
	return nil
}
