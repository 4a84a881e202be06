arrayDistinct(arrayFlatten(arrayMap(list -> JSONExtract(list, 'Array(String)'), lists)))
