package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
)

// tracesTimeout is for how long a program that ends waits until its last spans are taken.
const tracesTimeout = 3 * time.Second

// openTraces begins to send spans to a receiver of OpenTelemetry, where the settings or
// the standard environment variables name one. What they do not name is as the
// specification has it: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME…
func (a *app) openTraces(ctx context.Context) error {
	a.closeTraces = func() {}
	if !a.traced() {
		return nil
	}
	var options []otlptracehttp.Option
	if a.settings.Traces.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(a.settings.Traces.Endpoint))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return usageError{fmt.Errorf("traces.endpoint, or OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("traces are not taken", "error", err) }))
	about, err := resource.Merge(resource.NewSchemaless(semconv.ServiceName("lapse"), semconv.ServiceVersion(version())), resource.Environment())
	if err != nil {
		return usageError{fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)}
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	a.closeTraces = func() {
		ctx, cancel := context.WithTimeout(context.Background(), tracesTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Warn("the last traces were not taken", "error", err)
		}
	}
	return nil
}

// traced reports whether spans are to be sent.
func (a *app) traced() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return a.settings.Traces.Endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}
