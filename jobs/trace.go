package jobs

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/facesoft/lapse/sinks"
)

// tracer makes the spans of runs, for OpenTelemetry. Where no exporter is set up it makes
// none. What they say is what the audit log says: names of the policy, ids of steps,
// counts and classes of errors, nothing about people (I9).
var tracer = otel.Tracer("github.com/facesoft/lapse/jobs")

// endRun ends the span of a run.
func endRun(span trace.Span, r *Report, err error) {
	if r != nil {
		span.SetAttributes(
			attribute.String("lapse.run", r.Run.String()), attribute.String("lapse.result", string(r.Result)),
			attribute.Int("lapse.steps", r.Steps), attribute.Int("lapse.failed", r.Failed), attribute.Int("lapse.blocked", r.Waiting),
		)
	}
	if errors.Is(err, sinks.ErrHeld) {
		span.SetAttributes(attribute.String("lapse.result", "held"))
		err = nil
	}
	endSpan(span, err)
}

// endSpan ends a span with the class of an error: its text is for the operator.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(sinks.ClassOf(err)))
	}
	span.End()
}

// endPlan ends the span of a plan when its first steps are there. Where they come in
// portions the statements that look for the next still belong to it.
func endPlan(span trace.Span, steps int, err error) {
	span.SetAttributes(attribute.Int("lapse.steps", steps))
	endSpan(span, err)
}

// startSteps begins the span of steps that are carried out together.
func startSteps(ctx context.Context, steps []Step) (context.Context, trace.Span) {
	action := string(steps[0].Action)
	return tracer.Start(ctx, "step "+action, trace.WithAttributes(attribute.String("lapse.action", action), attribute.Int("lapse.steps", len(steps))))
}

// endSteps ends their span, with an event for each.
func endSteps(span trace.Span, outcomes []Outcome) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	for i := range outcomes {
		o := &outcomes[i]
		told := []attribute.KeyValue{attribute.String("lapse.step", o.Step.ID.String()), attribute.String("lapse.result", string(o.Result))}
		if o.Step.Dataset != "" {
			told = append(told, attribute.String("lapse.dataset", o.Step.Dataset))
		}
		if o.Step.Partition != nil {
			told = append(told, attribute.String("lapse.partition", o.Step.Partition.String()))
		}
		if o.Err != nil {
			class := string(sinks.ClassOf(o.Err))
			told = append(told, attribute.String("lapse.error", class))
			span.SetStatus(codes.Error, class)
		}
		span.AddEvent("step", trace.WithAttributes(told...))
	}
}
