[{{range $i, $value := .}}{{if $i}}, {{end}}toString({{$value}}){{end}}]::Array(String)
