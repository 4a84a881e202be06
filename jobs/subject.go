package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Subject carries out what was asked for and accepted (C14): the other rights at once,
// and again if that failed half-way, and erasures in two runs.
//
// A run that finds accepted requests enters them in the erasure ledger, notes them in
// the training register, and waits until every record is stored that was admitted
// without knowing of them; see awaitAdmitted. A further run deletes the people's rows:
// all people together, a step a partition, one mutation a dataset. What is under a legal
// hold stays, and the request with it; a run after the hold's end takes it up. A request
// is done when nothing of the person is found any more.
type Subject struct {
	Policy   *config.Policy
	Register sinks.RequestRegister
	Tables   sinks.PeopleTables
	Training sinks.TrainingErasure
	Ledger   sinks.ErasureLedger
	Keys     ErasureKeys
	Locks    sinks.Locker
	// Exports are the copies that were made for people. It may be nil.
	Exports sinks.Exports
	// Answers carries out the rights other than erasure.
	Answers Answers
	// Requests restricts what is planned to answers of these requests, where there are
	// any.
	Requests []sinks.ID
	// By is who carries them out, for the requests' histories.
	By string
}

var _ Job = (*Subject)(nil)

// Kind implements Job.
func (*Subject) Kind() sinks.JobKind { return sinks.JobSubject }

// erasedTogether is how many steps are carried out together, between two entries in the
// audit log: partitions of a dataset by one mutation, or requests.
const erasedTogether = 4096

// Batch implements Job.
func (*Subject) Batch(steps []Step) int {
	if isAnswer(steps[0]) {
		return 1
	}
	size := samePartitions(steps, erasedTogether, 1<<62)
	if n := slices.IndexFunc(steps[:size], isAnswer); n > 0 {
		return n
	}
	return size
}

// isAnswer reports whether a step answers a request that is not for erasure.
func isAnswer(s Step) bool {
	return s.Action == sinks.ActionAnswerRequest && s.Rule != sinks.RuleErasure
}

// Parallel implements Job.
func (*Subject) Parallel() int { return 1 }

// Plan implements Job. Where there are requests to be entered, it plans no more than
// that: what is to be deleted is known afterwards.
func (j *Subject) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	all, err := j.Register.Requests(ctx, sinks.ID{})
	if err != nil {
		return nil, err
	}
	answers := j.planAnswers(all)
	if len(j.Requests) > 0 {
		return answers, nil
	}
	exports, err := j.planExports(now)
	if err != nil {
		return nil, err
	}
	erasures, err := j.planErasures(ctx, now, all)
	if err != nil { // of some nodes, perhaps
		return slices.Concat(exports, answers, erasures), err
	}
	keys, err := j.planLedgerKeys(ctx, now)
	return slices.Concat(exports, answers, erasures, keys), err
}

func (j *Subject) planErasures(ctx context.Context, now time.Time, all []sinks.Request) ([]Step, error) {
	if accepted := erasuresIn(all, sinks.RequestAccepted); len(accepted) > 0 {
		steps := make([]Step, len(accepted))
		for i, r := range accepted {
			steps[i] = j.step(sinks.ActionEnterErasure, r, "erasure was asked for on "+sinks.DayOf(r.Received).String())
		}
		return steps, nil
	}
	executing := erasuresIn(all, sinks.RequestExecuting)
	if len(executing) == 0 {
		return nil, nil
	}
	people, err := j.people(ctx, executing)
	if err != nil {
		return nil, err
	}
	rows, persons, met := j.Tables.CountPeople(ctx, sinks.People{Persons: people}, now)
	if met != nil { // what is left on some node is not known, so nobody is answered
		return erasureSteps(j.Policy, sinks.RuleErasure, rows), met
	}
	items, err := j.Training.TrainingItemsOf(ctx, people)
	if err != nil {
		return nil, err
	}
	steps := erasureSteps(j.Policy, sinks.RuleErasure, rows)
	held := heldRowsOf(persons)
	for _, r := range executing {
		s := j.step(sinks.ActionAnswerRequest, r, "nothing of the person is left")
		switch {
		case held[r.ID] > 0: // kept by right (C16)
			continue
		case items[r.ID] > 0:
			s.Blocked = fmt.Sprintf("%d training items of theirs are to be deleted by 'lapse run purge'", items[r.ID])
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// erasures returns the requests for erasure that are in a state now.
func (j *Subject) erasures(ctx context.Context, state sinks.RequestEvent) ([]sinks.Request, error) {
	all, err := j.Register.Requests(ctx, sinks.ID{})
	return erasuresIn(all, state), err
}

// erasuresIn returns those of the requests that are for erasure and in a state.
func erasuresIn(all []sinks.Request, state sinks.RequestEvent) (some []sinks.Request) {
	for _, r := range all {
		if r.Right == sinks.RightErasure && r.State() == state {
			some = append(some, r)
		}
	}
	return some
}

func (j *Subject) step(action sinks.Action, r sinks.Request, reason string) Step {
	due, _ := AnswerDue(j.Policy, &r)
	return Step{
		ID: sinks.HashID(string(action), r.ID.String()), Action: action, Item: r.ID, Rule: sinks.RuleErasure,
		Clause: j.Policy.RequestRule().Clause, Due: due, Reason: reason,
	}
}

// erasureSteps plans a step for each partition in which there are rows to be deleted.
func erasureSteps(p *config.Policy, rule sinks.Rule, rows []sinks.PeopleRows) (steps []Step) {
	for i, n := range rows {
		if n.Rows == 0 {
			continue
		}
		s := Step{
			Action: sinks.ActionErasePeople, Dataset: n.Dataset, Partition: rows[i].Partition, Rule: rule, Clause: p.RequestRule().Clause,
			Reason: fmt.Sprintf("%d people are to be erased", n.People), Rows: n.Rows, Subjects: n.People, Held: n.Held,
		}
		where := ""
		if s.Partition != nil {
			where = s.Partition.String()
		}
		s.ID = sinks.HashID(p.Name, string(s.Action), string(rule), s.Dataset, where)
		steps = append(steps, s)
	}
	return steps
}

func heldRowsOf(persons []sinks.PersonRows) map[sinks.ID]uint64 {
	held := map[sinks.ID]uint64{}
	for _, n := range persons {
		held[n.Person] += n.Held
	}
	return held
}

// people returns whom requests are about, each up to the last event that was entered in
// the ledger; where that is not known any more, up to when they were entered.
func (j *Subject) people(ctx context.Context, requests []sinks.Request) ([]sinks.Person, error) {
	ids := make([]sinks.ID, len(requests))
	for i, r := range requests {
		ids[i] = r.ID
	}
	people, err := j.Register.PeopleOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range people {
		if r := slices.IndexFunc(requests, func(r sinks.Request) bool { return r.ID == people[i].ID }); r >= 0 {
			people[i].Until = requests[r].Since()
		}
	}
	secrets, err := j.Keys.All()
	if err != nil {
		return nil, err
	}
	for _, secret := range secrets {
		if err := j.lastOf(ctx, NewSubjectKeys(secret), people); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// lastOf puts off until when people's events count to what was entered under a key.
func (j *Subject) lastOf(ctx context.Context, of *SubjectKeys, people []sinks.Person) error {
	var keys []sinks.SubjectKey
	for _, p := range people {
		keys = append(keys, of.all(p)...)
	}
	until := map[sinks.SubjectKey]time.Time{}
	for some := range slices.Chunk(keys, 1000) {
		entered, err := j.Ledger.ErasuresOf(ctx, some)
		if err != nil {
			return err
		}
		for _, e := range entered {
			until[e.Subject] = e.Until
		}
	}
	for i := range people {
		for _, key := range of.all(people[i]) {
			if t := until[key]; t.After(people[i].Until) {
				people[i].Until = t
			}
		}
	}
	return nil
}

// Execute implements Job.
func (j *Subject) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	switch steps[0].Action {
	case sinks.ActionEnterErasure:
		return j.enter(ctx, in, steps)
	case sinks.ActionErasePeople:
		executing, err := j.erasures(ctx, sinks.RequestExecuting)
		if err != nil {
			return failAll(steps, err)
		}
		people, err := j.people(ctx, executing)
		if err != nil {
			return failAll(steps, err)
		}
		return erasePeople(ctx, j.Locks, j.Tables, sinks.People{Persons: people}, in, steps)
	case sinks.ActionAnswerRequest:
		if isAnswer(steps[0]) {
			return []Outcome{j.answerOne(ctx, steps[0])}
		}
		return j.answer(ctx, in, steps)
	case sinks.ActionDeleteExport:
		return j.deleteExports(steps)
	case sinks.ActionDestroyKey:
		outcomes := make([]Outcome, len(steps))
		for i, s := range steps {
			outcomes[i] = destroyKeys(j.Keys.Keyring, j.Keys.due, in, s)
		}
		return outcomes
	}
	return failAll(steps, fmt.Errorf("a run for data subjects does not do %q", steps[0].Action))
}

// only returns those of the requests that steps are about.
func only(requests []sinks.Request, steps []Step) []sinks.Request {
	return slices.DeleteFunc(requests, func(r sinks.Request) bool {
		return !slices.ContainsFunc(steps, func(s Step) bool { return s.Item == r.ID })
	})
}

// enter enters people in the erasure ledger: what is theirs until now, and what their
// devices, whose clocks are ahead, have dated later.
func (j *Subject) enter(ctx context.Context, in Session, steps []Step) []Outcome {
	accepted, err := j.erasures(ctx, sinks.RequestAccepted)
	if err != nil {
		return failAll(steps, err)
	}
	accepted = only(accepted, steps)
	ids := make([]sinks.ID, len(accepted))
	for i, r := range accepted {
		ids[i] = r.ID
	}
	people, err := j.Register.PeopleOf(ctx, ids)
	if err != nil {
		return failAll(steps, err)
	}
	_, persons, err := j.Tables.CountPeople(ctx, sinks.People{Persons: people}, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	items, err := j.Training.TrainingItemsOf(ctx, people)
	if err != nil {
		return failAll(steps, err)
	}
	counts := map[sinks.ID]map[sinks.Count]uint64{}
	until := map[sinks.ID]time.Time{}
	for _, n := range persons {
		if counts[n.Person] == nil {
			counts[n.Person] = map[sinks.Count]uint64{}
		}
		counts[n.Person][sinks.CountBefore] += n.Rows
		counts[n.Person][sinks.CountHeld] += n.Held
		if n.Last.After(until[n.Person]) {
			until[n.Person] = n.Last
		}
	}
	at := in.AsOf
	for _, r := range accepted {
		if r.Since().After(at) { // a run as of an earlier time
			at = r.Since()
		}
	}
	secret, err := j.Keys.At(at)
	if err != nil {
		return failAll(steps, err)
	}
	keys := NewSubjectKeys(secret)
	var erasures []sinks.Erasure
	for _, p := range people {
		last := in.AsOf
		if until[p.ID].After(last) {
			last = until[p.ID]
		}
		for _, key := range keys.all(p) {
			erasures = append(erasures, sinks.Erasure{Subject: key, Until: last, Request: p.ID})
		}
	}
	if err := j.Ledger.RecordErasures(ctx, erasures); err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("subject.entered")
	if err := j.Training.EraseFromTraining(ctx, people, in.AsOf); err != nil {
		return failAll(steps, err)
	}
	if err := awaitAdmitted(ctx, j.Locks); err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("subject.awaited")
	if err := j.Register.NoteRequests(ctx, j.notes(accepted, sinks.RequestExecuting, in)); err != nil {
		return failAll(steps, err)
	}
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		if !slices.Contains(ids, s.Item) { // another run has done it, or it was cancelled
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged}
			continue
		}
		outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone, Counts: counts[s.Item]}
		if n := items[s.Item]; n > 0 {
			if outcomes[i].Counts == nil {
				outcomes[i].Counts = map[sinks.Count]uint64{}
			}
			outcomes[i].Counts[sinks.CountObjects] = n
		}
	}
	return outcomes
}

func (j *Subject) notes(requests []sinks.Request, event sinks.RequestEvent, in Session) []sinks.RequestNote {
	notes := make([]sinks.RequestNote, len(requests))
	for i, r := range requests {
		at := in.AsOf
		if since := r.Since(); at.Before(since) { // a run as of an earlier time
			at = since
		}
		notes[i] = sinks.RequestNote{Request: r.ID, Event: event, At: at, By: j.By}
	}
	return notes
}

// erasePeople deletes rows of people from the partitions of steps, all by one mutation.
// Nobody else may rewrite partitions meanwhile: what was copied before would come back.
func erasePeople(ctx context.Context, locks sinks.Locker, tables sinks.PeopleTables, people sinks.People, in Session, steps []Step) []Outcome {
	for _, job := range []sinks.JobKind{sinks.JobAnonymise, sinks.JobPurge} {
		unlock, err := locks.Lock(ctx, string(job))
		if err != nil {
			return failAll(steps, err)
		}
		defer unlock()
	}
	var partitions []sinks.Partition
	for _, s := range steps {
		if s.Partition != nil {
			partitions = append(partitions, *s.Partition)
		}
	}
	rows, left, err := tables.ErasePeople(ctx, steps[0].Dataset, partitions, people, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("subject.erased")
	found := map[string]sinks.PeopleRows{}
	for _, n := range rows {
		found[partitionName(n.Partition)] = n
	}
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		n := found[partitionName(s.Partition)]
		outcomes[i] = absent(s, left)
		if outcomes[i].Err == nil && n.Rows == 0 { // an interrupted run has deleted them
			outcomes[i].Result = sinks.ResultUnchanged
		}
		outcomes[i].Counts = map[sinks.Count]uint64{sinks.CountBefore: n.Rows, sinks.CountSubjects: n.People, sinks.CountHeld: n.Held}
	}
	return outcomes
}

func partitionName(p *sinks.Partition) string {
	if p == nil {
		return ""
	}
	return p.String()
}

// answer ends the requests of whose people nothing is found any more, and forgets who
// they were.
func (j *Subject) answer(ctx context.Context, in Session, steps []Step) []Outcome {
	executing, err := j.erasures(ctx, sinks.RequestExecuting)
	if err != nil {
		return failAll(steps, err)
	}
	executing = only(executing, steps)
	people, err := j.people(ctx, executing)
	if err != nil {
		return failAll(steps, err)
	}
	_, persons, err := j.Tables.CountPeople(ctx, sinks.People{Persons: people}, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	items, err := j.Training.TrainingItemsOf(ctx, people)
	if err != nil {
		return failAll(steps, err)
	}
	left := maps.Clone(items)
	if left == nil {
		left = map[sinks.ID]uint64{}
	}
	for _, n := range persons {
		left[n.Person] += n.Rows + n.Held
	}
	done := slices.DeleteFunc(slices.Clone(executing), func(r sinks.Request) bool { return left[r.ID] > 0 })
	if err := j.Register.NoteRequests(ctx, j.notes(done, sinks.RequestDone, in)); err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("subject.noted")
	ids := make([]sinks.ID, len(steps)) // those of an interrupted run, too
	for i, s := range steps {
		ids[i] = s.Item
	}
	ids = slices.DeleteFunc(ids, func(id sinks.ID) bool { return left[id] > 0 })
	if len(ids) > 0 {
		absence, err := j.Register.ForgetPeople(ctx, ids)
		if err == nil && !absence.Proven() {
			err = fmt.Errorf("%w: identifiers of requests that are done are still there", sinks.ErrVerification)
		}
		if err != nil {
			return failAll(steps, err)
		}
	}
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		if n := left[s.Item]; n > 0 {
			outcomes[i] = failed(s, fmt.Errorf("%w: %d rows or items of the person have come or are held; the next run goes on", sinks.ErrConflict, n))
			continue
		}
		outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone}
		outcomes[i].reached(sinks.StageHidden)
		outcomes[i].reached(sinks.StageRemoved)
		outcomes[i].reached(sinks.StageGone)
	}
	return outcomes
}
