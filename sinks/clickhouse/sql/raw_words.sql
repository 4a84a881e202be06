{{- /* What a raw record may name somebody by: its quoted texts, and what stands between
       white space. */ -}}
arrayDistinct(arrayConcat(extractAll(raw, '"((?:[^"\\\\]|\\\\.)*)"'), splitByWhitespace(raw)))
