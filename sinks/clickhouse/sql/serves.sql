arrayDistinct(arrayFlatten(arrayMap(list -> JSONExtract(list, 'Array(String)'), arrayPushFront(arrayMap(a -> a.2, arrayFilter(a -> a.1 >= latest.2, additions)), latest.6))))
