KILL MUTATION WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done
