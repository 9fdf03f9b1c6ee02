package androidx.activity.result

class ActivityResult

class ActivityResultLauncher<I> {
    fun launch(input: I) = Unit
}

fun interface ActivityResultCallback<O> {
    fun onActivityResult(result: O)
}
