// The client of a web view while its page is being left: the user is not asked whether to stay. All else
// is left to the client that was there, Capacitor's or the app's own.

package dev.farad.capacitor

import android.graphics.Bitmap
import android.net.Uri
import android.os.Message
import android.view.View
import android.webkit.ConsoleMessage
import android.webkit.GeolocationPermissions
import android.webkit.JsPromptResult
import android.webkit.JsResult
import android.webkit.PermissionRequest
import android.webkit.ValueCallback
import android.webkit.WebChromeClient
import android.webkit.WebView

internal class Unasked(val next: WebChromeClient) : WebChromeClient() {
    override fun onJsBeforeUnload(view: WebView?, url: String?, message: String?, result: JsResult?): Boolean {
        result?.confirm()
        return true
    }

    override fun onProgressChanged(view: WebView?, newProgress: Int) = next.onProgressChanged(view, newProgress)

    override fun onReceivedTitle(view: WebView?, title: String?) = next.onReceivedTitle(view, title)

    override fun onReceivedIcon(view: WebView?, icon: Bitmap?) = next.onReceivedIcon(view, icon)

    override fun onReceivedTouchIconUrl(view: WebView?, url: String?, precomposed: Boolean) =
        next.onReceivedTouchIconUrl(view, url, precomposed)

    override fun onShowCustomView(view: View?, callback: CustomViewCallback?) = next.onShowCustomView(view, callback)

    override fun onHideCustomView() = next.onHideCustomView()

    override fun onCreateWindow(view: WebView?, isDialog: Boolean, isUserGesture: Boolean, resultMsg: Message?) =
        next.onCreateWindow(view, isDialog, isUserGesture, resultMsg)

    override fun onRequestFocus(view: WebView?) = next.onRequestFocus(view)

    override fun onCloseWindow(window: WebView?) = next.onCloseWindow(window)

    override fun onJsAlert(view: WebView?, url: String?, message: String?, result: JsResult?) =
        next.onJsAlert(view, url, message, result)

    override fun onJsConfirm(view: WebView?, url: String?, message: String?, result: JsResult?) =
        next.onJsConfirm(view, url, message, result)

    override fun onJsPrompt(
        view: WebView?,
        url: String?,
        message: String?,
        defaultValue: String?,
        result: JsPromptResult?,
    ) = next.onJsPrompt(view, url, message, defaultValue, result)

    override fun onGeolocationPermissionsShowPrompt(origin: String?, callback: GeolocationPermissions.Callback?) =
        next.onGeolocationPermissionsShowPrompt(origin, callback)

    override fun onGeolocationPermissionsHidePrompt() = next.onGeolocationPermissionsHidePrompt()

    override fun onPermissionRequest(request: PermissionRequest?) = next.onPermissionRequest(request)

    override fun onPermissionRequestCanceled(request: PermissionRequest?) = next.onPermissionRequestCanceled(request)

    override fun onConsoleMessage(consoleMessage: ConsoleMessage?) = next.onConsoleMessage(consoleMessage)

    override fun getDefaultVideoPoster(): Bitmap? = next.getDefaultVideoPoster()

    override fun getVideoLoadingProgressView(): View? = next.getVideoLoadingProgressView()

    override fun getVisitedHistory(callback: ValueCallback<Array<String>>?) = next.getVisitedHistory(callback)

    override fun onShowFileChooser(
        webView: WebView?,
        filePathCallback: ValueCallback<Array<Uri>>?,
        fileChooserParams: FileChooserParams?,
    ) = next.onShowFileChooser(webView, filePathCallback, fileChooserParams)
}
