package androidx.appcompat.app

import android.app.Activity
import java.io.File

open class AppCompatActivity(home: File) : Activity(home)
