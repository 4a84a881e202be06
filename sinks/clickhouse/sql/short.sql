{{- /* Of a statement that is made many times and looks at little: machine code for it would
       take longer to make than it saves. */ -}}
compile_expressions = 0, compile_aggregate_expressions = 0
